"""Where the weights start, before any example is seen."""
