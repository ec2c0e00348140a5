"""Keeping a network from fitting its examples too closely."""
