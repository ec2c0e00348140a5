"""How a technique looks in every figure: colour-blind safe colours, and markers besides."""

from __future__ import annotations

from techniques.recipe import BASELINE, Recipe

GREY = "#666666"
# Okabe and Ito (2008), without black (the axes') and yellow (too light on white)
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]

FAMILIES = ["pretraining", "initialisation", "activation", "normalisation", "connection"]


def family(recipe: Recipe) -> str:
    """What a recipe changes about the plain network: the panel that it is drawn in."""
    plain, own = BASELINE.settings(), recipe.settings()
    changed = [slot for slot in FAMILIES if own.get(slot) != plain.get(slot)]
    if not changed:
        return "plain" if own == plain else "optimisation"
    if len(changed) > 2:
        return "combination"
    # an activation comes with the initialisation that was made for it
    return "activation" if "activation" in changed else changed[0]


def panels(recipes: dict[str, Recipe]) -> dict[str, list[str]]:
    """Family -> names of its recipes, in historical order of the families; without the plain."""
    order = [*FAMILIES, "optimisation", "combination"]
    found = {name: [r for r in recipes if family(recipes[r]) == name] for name in order}
    return {name: members for name, members in found.items() if members}
