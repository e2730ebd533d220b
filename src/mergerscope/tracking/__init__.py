"""Runs, lineage, registry and the served model: the one room that imports mlflow."""

from mergerscope.tracking.quiet import import_mlflow_quietly

# Before any file of this room imports mlflow: its settings are read when it is first imported.
import_mlflow_quietly()
