"""The stage graph: each file is one node of dvc.yaml and one verb of the CLI."""
