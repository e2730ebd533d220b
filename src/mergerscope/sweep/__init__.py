"""Sweeps: Optuna looks for better settings, on references only."""
