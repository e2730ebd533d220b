"""The representation: views, encoder, objectives, training."""
