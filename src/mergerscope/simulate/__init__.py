"""A made-up sky with known truth: galaxies, impostors and encounters, seen through a telescope and voted on."""

from mergerscope.simulate.write import Survey, simulate_survey

__all__ = ["Survey", "simulate_survey"]
