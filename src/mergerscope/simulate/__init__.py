"""A made-up sky with known truth: galaxies, impostors and encounters, seen through a telescope and voted on."""
