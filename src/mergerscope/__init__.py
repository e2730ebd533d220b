"""mergerscope: find galaxy mergers in any imaging survey from a handful of examples."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    # Looked up when asked for: the metadata take longer to import than most of what a worker process needs.
    if name == "__version__":
        from importlib.metadata import version

        return version("mergerscope")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
