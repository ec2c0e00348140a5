"""The museum, ``reports/index.html``: a timeline, a card for each technique, and an explorer.

One file that needs no network and no server: styles, scripts and data are inlined, and a policy in
the page forbids everything else. It is written from the modules' docstrings, ``references.bib`` and
the tables of the reports, and is the same bytes for the same of them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup

from benchmarks import catalogue, store
from benchmarks.catalogue import FAMILIES, INDENT, docstring_lines
from benchmarks.explorer import STORY, explorer_data
from benchmarks.references import KEY, PATH, Reference, references
from benchmarks.typography import formula

PAGE = "index.html"
SOURCES = Path(__file__).parent / "templates" / "museum"
VENDOR = ("d3-7.9.2.min.js", "plot-0.6.17.min.js")  # in the order that they need
SCRIPTS = ("state.js", "charts.js", "figures.js", "explorer.js")  # the last one starts them
LINE = 100  # columns of a docstring
NO_ERRORS = pd.DataFrame(columns=["technique", "depth", "n", "n_trained"])  # of a T1 not there

ERAS = (  # first year, name, what happened, the works that it rests on
    (
        0,
        "The pieces",
        "Logistic units, back-propagation and momentum are there, for networks of one or two "
        "hidden layers.",
        ("rumelhart1986",),
    ),
    (
        1991,
        "The wall",
        "Hochreiter shows why deeper ones do not train: every layer multiplies the gradient by "
        "another factor, and what reaches the first layers vanishes or explodes. The remedies of "
        "these years help networks that are not deep.",
        ("hochreiter1991",),
    ),
    (
        2006,
        "Layer-wise pretraining opens it",
        "Each layer first learns by itself, from the layer below, with no label and no long way "
        "for a gradient to go. Deep sigmoid networks train for the first time.",
        ("hinton2006dbn", "bengio2007greedy"),
    ),
    (
        2010,
        "Without pretraining",
        "Weights of the right size, rectifiers and better optimisers bring the gradient of the "
        "labels down to the first layer: pretraining is no longer needed.",
        ("glorot2010", "nair2010", "martens2010hf"),
    ),
    (
        2015,
        "Any depth",
        "Normalisation inside every layer and links around it, down to ReZero in 2020: one number "
        "a layer, which starts at zero.",
        ("ioffe2015bn", "he2016resnet", "bachlechner2020rezero"),
    ),
)
LAST_YEAR = 2020

COMPARISONS = {  # name -> hidden layers, recipes; shown where a suite has them all
    "The story": (STORY["depth"], STORY["techniques"]),
    "Pretraining": (20, ["plain", "rbm", "autoencoder", "denoising", "supervised-greedy", "lsuv"]),
    "First weights": (8, ["plain", "glorot", "orthogonal", "sparse", "isometry-sigmoid"]),
    "Units": (20, ["plain", "tanh", "softsign", "relu", "elu", "selu"]),
    "Normalisation": (20, ["plain", "whitened", "batch-norm", "layer-norm", "weight-norm"]),
    "Links": (50, ["plain", "highway", "residual", "stochastic-depth", "fixup", "rezero"]),
    "Optimisers": (5, ["plain", "rprop", "nesterov", "rmsprop", "adam", "hessian-free"]),
    "Which replaces which": (10, ["plain", "pretraining", "init", "batch-norm", "residual"]),
}


class Reached(NamedTuple):
    """What a recipe came to in suite ``depth``."""

    recipe: str
    address: str  # of the explorer, with this recipe beside the plain network
    deepest: str  # in words; empty where the recipe was not run
    runs: str  # the other two at that depth
    error: str


class Card(NamedTuple):
    """One technique."""

    id: str
    family: str
    year: int
    when: str  # the year as the docstring has it, such as 1990s
    entry: catalogue.Entry
    about: Markup
    problem: Markup
    method: list[tuple[bool, Markup]]  # lines, and whether one stands by itself
    source: Markup
    since: Markup
    departs: Markup
    reached: list[Reached]


def write(reports: Path) -> Path:
    """Write the page; where it is.

    Raises Problem naming a table that is damaged or missing: the page is then left as it was.
    """
    data = explorer_data(reports)
    t1 = reports / catalogue.SUITE / "tables" / "T1-test-error.csv"
    errors = pd.read_csv(t1) if catalogue.SUITE in data["suites"] else NO_ERRORS
    cards = all_cards(errors)
    cited = {key for _, _, _, keys in ERAS for key in keys}
    for one in cards:
        cited |= set(re.findall(r'href="#ref-(\w+)"', one.source + one.departs))
    scripts = [
        Markup((SOURCES / name).read_text(encoding="utf-8"))
        for name in (*(f"vendor/{name}" for name in VENDOR), *SCRIPTS)
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    page = environment.get_template("page.html.j2").render(
        policy=policy(scripts),
        style=Markup((SOURCES / "style.css").read_text(encoding="utf-8")),
        scripts=scripts,
        data=data,
        comparisons=comparisons(data),
        story=story(data),
        eras=eras(cards),
        families=FAMILIES,
        cards=cards,
        judged={path.parent.name for path in reports.glob("papers/*/report.html")},
        references=sorted(
            (work for key, work in references(PATH).items() if key in cited),
            key=lambda work: (work.year, work.key),
        ),
    )
    store.write_atomically(reports / PAGE, page.encode())
    return reports / PAGE


def policy(scripts: list[Markup]) -> str:
    """No network and no script but ours; charts and rows set styles of their own."""
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def all_cards(errors: pd.DataFrame) -> list[Card]:
    """Every technique, in historical order; errors is table T1 of suite ``depth``."""
    cards = [card(module, errors) for module in catalogue.modules()]
    return sorted(cards, key=lambda c: (c.year, list(FAMILIES).index(c.family), c.entry.name))


def card(module: ModuleType, errors: pd.DataFrame) -> Card:
    """What the page says of a technique; errors is table T1 of suite ``depth``."""
    said, entry = catalogue.sections(module), catalogue.entry(module)
    _, family, name = module.__name__.split(".")
    when = re.search(r"\b((?:18|19|20)\d\d)s?", said["Since"])
    return Card(
        id=f"{family}-{name}".replace("_", "-"),
        family=family,
        year=int(when[1]) + (9 if when[0].endswith("s") else 0),  # a decade by its last year
        when=when[0],
        entry=entry,
        about=formula(entry.about[0].upper() + entry.about[1:]),
        problem=formula(said["Problem"]),
        method=method_lines(docstring_lines(module)["Method"]),
        source=with_links(said["Source"]),
        since=formula(said["Since"]),
        departs=with_links(said["Departs"]),
        reached=[reached(recipe, errors) for recipe in entry.recipes],
    )


def method_lines(lines: list[str]) -> list[tuple[bool, Markup]]:
    """A docstring's lines joined where only its width broke them; equations stay by themselves."""
    joined = [lines[0]]
    for before, line in zip(lines, lines[1:], strict=False):
        word = line.split(" ", 1)[0]
        meant = not word or before.startswith(" ") or INDENT + len(f"{before} {word}") <= LINE
        if meant:
            joined.append(line)
        else:
            joined[-1] += f" {line}"
    return [(line.startswith(" "), formula(line.strip())) for line in joined]


def with_links(text: str) -> Markup:
    """Text with its bibliography keys as links to the list of references."""
    before, *pairs = re.split(rf"[;,.]?\s*BibTeX\s+({KEY})", text)
    parts = [formula(before)]
    for key, after in zip(pairs[::2], pairs[1::2], strict=True):
        parts.append(Markup(' <a class="key" href="#ref-{0}">{0}</a>').format(key))
        parts.append(formula(after))
    return Markup("").join(parts)


def reached(recipe: str, errors: pd.DataFrame) -> Reached:
    """The greatest depth at which more than half of the runs trained, and what they came to."""
    own = errors[(errors["technique"] == recipe) & (errors["n"] > 0)]
    if own.empty:
        return Reached(recipe, "", "", "", "")
    trained = own[2 * own["n_trained"] > own["n"]]
    row = own.loc[trained["depth"].idxmax() if len(trained) else own["depth"].idxmin()]
    deepest = f"{row['depth']}" if len(trained) else "none"
    if len(trained) and row["depth"] == own["depth"].max() < errors["depth"].max():
        deepest += ", the most tried"
    together = ["plain"] if recipe == "plain" else ["plain", recipe]
    return Reached(
        recipe,
        address(catalogue.SUITE, int(row["depth"]), together),
        deepest,
        f"{row['n_trained']}/{row['n']}"
        + (f", {row['n_diverged']} diverged" if row["n_diverged"] else ""),
        f"{row['test_error_pct']:.1f} [{row['low']:.1f}, {row['high']:.1f}]",
    )


def address(suite: str, depth: int, recipes: list[str]) -> str:
    """The part after # that makes the explorer show this; ``state.js`` reads it."""
    listed = ",".join(quote(recipe, safe="") for recipe in recipes)
    return f"suite={quote(suite, safe='')}&depth={depth}&t={listed}"


def comparisons(data: dict) -> list[tuple[str, str]]:
    """Name and address of every comparison, in the first suite that has all of it."""
    found = []
    for name, (depth, recipes) in COMPARISONS.items():
        for suite, content in data["suites"].items():
            if depth in content["depths"] and set(recipes) <= content["cells"].keys():
                found.append((name, address(suite, depth, recipes)))
                break
    return found


def story(data: dict) -> list[tuple[str, int, int, float]]:
    """Recipe, runs trained, runs and median test error of each in the story, if it was run."""
    cells = data["suites"].get(catalogue.SUITE, {}).get("cells", {})
    found = []
    for recipe in STORY["techniques"]:
        cell = cells.get(recipe, {}).get(str(STORY["depth"]), {})
        if "error" in cell:
            found.append((recipe, cell["runs"][1], cell["runs"][0], cell["error"][0]))
    return found


class Era(NamedTuple):
    """A stretch of the timeline."""

    name: str
    span: str
    text: str
    works: list[Reference]
    years: list[tuple[str, list[Card]]]


def eras(cards: list[Card]) -> list[Era]:
    """The timeline: every card in its era and year."""
    works = references(PATH)
    starts = [start for start, *_ in ERAS]
    found = []
    for (start, name, text, keys), after in zip(ERAS, [*starts[1:], None], strict=True):
        own = [c for c in cards if c.year >= start and (after is None or c.year < after)]
        years: dict[str, list[Card]] = {}
        for one in own:
            years.setdefault(one.when, []).append(one)
        last = after - 1 if after else max([LAST_YEAR, *(c.year for c in own)])
        span = f"{start}–{last}" if start else f"before {after}"
        found.append(Era(name, span, text, [works[key] for key in keys], list(years.items())))
    return found
