"""Standardising what a layer sees."""
