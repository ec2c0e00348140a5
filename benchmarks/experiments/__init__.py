"""Experiments of papers, one module each; see benchmarks/experiment.py."""
