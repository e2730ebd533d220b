"""The sky as it comes: one reader a survey format, made into one catalogue."""
