"""Galaxies to WebDataset shards and back."""
