"""Initialisations learnt from the data, one layer at a time, without labels."""
