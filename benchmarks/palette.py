"""How a technique looks in every figure: colour-blind safe colours, and markers besides."""

from __future__ import annotations

from techniques.recipe import BASELINE, Recipe

GREY = "#666666"
# Okabe and Ito (2008), without black (the axes') and yellow (too light on white)
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]

FAMILIES = [
    "pretraining",
    "initialisation",
    "activation",
    "normalisation",
    "connection",
    "optimisation",
    "regularisation",
]
_COMPANIONS = {"GlorotUniform", "GlorotNormal", "HeNormal", "LeCunNormal"}


def family(recipe: Recipe) -> str:
    """What a recipe changes about the plain network: the panel that it is drawn in.

    Activations and initialisations, and inputs, often only keep another technique company.
    """
    plain, own = BASELINE.settings(), recipe.settings()
    changed = {slot.split(":")[0] for slot in own if own[slot] != plain.get(slot)}
    leading = changed - {"initialisation", "activation", "inputs"}
    if len(leading) > 1:
        return "combination"
    if leading:
        return leading.pop()
    if {"initialisation", "activation"} <= changed:
        companion = own["initialisation"]["technique"] in _COMPANIONS
        return "activation" if companion else "initialisation"
    if changed == {"inputs"}:
        return "normalisation"
    return min(changed - {"inputs"}, default="plain")


def panels(recipes: dict[str, Recipe]) -> dict[str, list[str]]:
    """Family -> names of its recipes, in order of the families; without the plain.

    A family with more than a panel can hold goes on in others: "activation (2)".
    """
    most = len(COLOURS)
    found = {}
    for name in [*FAMILIES, "combination"]:
        members = [r for r in recipes if family(recipes[r]) == name]
        n_panels = -(-len(members) // most)
        for part in range(n_panels):
            size = -(-len(members) // n_panels)
            title = name if part == 0 else f"{name} ({part + 1})"
            found[title] = members[part * size : (part + 1) * size]
    return found
