"""From embeddings and known mergers to a ranked and judged list."""
