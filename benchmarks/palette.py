"""How a technique looks in every figure: colour-blind safe colours, and markers besides."""

from __future__ import annotations

from techniques.recipe import BASELINE, Recipe

GREY = "#666666"
# Okabe and Ito (2008) begin where these do, but two of theirs have less than the 3 : 1 that lines
# need on white (WCAG 1.4.11). Found by a search that held to that and moved the nearest pair apart,
# as seen with and without each kind of colour blindness; a test measures both again.
COLOURS = ["#3f398b", "#f7640e", "#08736d", "#b77fb3", "#a54303", "#007afe"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
DASHES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5))]

# What lies under the lines, and what stands in cells that are filled in both lights alike
PAPER, GRID, FAINT, NOTHING = "#ffffff", "#e5e5e5", "#c4c4c4", "#d9d9d9"
DARK_INK, LIGHT_INK = "#111111", "#f7f7f7"

# The same where paper is dark: report.html takes the one or the other by the reader's preference
BLACK = "#000000"
IN_THE_DARK = {
    **dict(
        zip(
            COLOURS, ["#a557ff", "#fb9912", "#037d8b", "#f4d6e9", "#a95e04", "#6bb0ee"], strict=True
        )
    ),
    BLACK: "#e6e8ea",
    PAPER: "#14171a",
    GREY: "#9aa1a8",
    GRID: "#2a2f35",
    FAINT: "#4a5057",
    NOTHING: "#3a4047",
}

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
