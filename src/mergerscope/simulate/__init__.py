"""A made-up sky with known truth: galaxies, impostors and encounters, seen through a telescope and voted on."""

from mergerscope.simulate.write import simulate_survey

__all__ = ["simulate_survey"]
