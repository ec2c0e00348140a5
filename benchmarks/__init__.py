"""Trains deep sigmoid networks with each technique and reports what came of it."""
