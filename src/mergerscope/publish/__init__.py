"""The ranked list as astronomers use it: tables with units and UCDs, regions, cross-matches, SAMP."""
