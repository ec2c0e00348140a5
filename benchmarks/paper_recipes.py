"""Recipes that only a paper's suite needs: its own settings, where the catalogue's are others."""

from __future__ import annotations

from techniques.recipe import Recipe

PAPER_RECIPES: dict[str, Recipe] = {}
