"""Figures, galleries and the HTML page."""
