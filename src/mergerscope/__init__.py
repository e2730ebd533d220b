"""mergerscope: find galaxy mergers in any imaging survey from a handful of examples."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("mergerscope")
