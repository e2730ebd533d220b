"""Fetch cutouts by position from the Legacy Survey viewer's service into a folder that the pipeline reads."""
