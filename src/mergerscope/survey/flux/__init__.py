"""Images that hold flux: FITS and HDF5 made into one kind of array, in named bands and a known unit."""
