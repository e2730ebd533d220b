"""More like this one: galaxies like those that somebody names or shows."""
