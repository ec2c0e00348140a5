"""Claims files: what a paper says, as rules that trials can meet or fail, written before they run.

``benchmarks/papers/<key>.toml``, key being the paper's citation key, holds a list of claims of four
kinds, told apart by how a verdict is reached (``benchmarks.verdicts``):

ordinal    one cell's metric lies below another's
numeric    a published number; only the paper's own protocol, scale "paper", can test it
threshold  a cell trains, or does not
trend      a metric rises or falls with depth; or, at one depth, is above or below 0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from benchmarks import suite as suites
from benchmarks.experiment import experiments
from benchmarks.metrics import Metric, metric, metric_names
from benchmarks.problem import Problem
from benchmarks.suite import Positive, Strict, one_line, read_toml

FOLDER = Path(__file__).parent / "papers"

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=400)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Size = Annotated[float, Field(gt=0, lt=math.inf)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Cell(Strict):
    """A technique at a depth; without a depth for a metric of all depths."""

    recipe: str
    depth: Positive | None = None


class _Said(Strict):
    """What every claim has: what the paper says and where, and what it is tested on."""

    id: Name
    where: Line  # in the paper: section, table, figure
    statement: Line
    # how the transcription was checked: in the paper's own text, as quoted by another one, or not
    verified: Literal["text", "quotation", "memory"]
    published: Finite | None = None
    unit: Line | None = None
    departs: Line | None = None  # what the suite does differently from the paper
    scale: Literal["reduced", "paper"]  # the least that can test it
    suite: str
    metric: str
    min_seeds: Annotated[int, Field(ge=10)] = 10  # Holm leaves 6 comparisons to 8 seeds, 25 to 10

    @model_validator(mode="after")
    def _known(self) -> _Said:
        if self.metric not in metric_names(self.suite):
            allowed = ", ".join(metric_names(self.suite))
            raise ValueError(f"metric: {self.metric!r} is not a metric; allowed: {allowed}")
        return self

    @property
    def measure(self) -> Metric:
        """What the claim is about."""
        return metric(self.suite, self.metric)

    @model_validator(mode="after")
    def _published_in_a_unit(self) -> _Said:
        if (self.published is None) != (self.unit is None):
            raise ValueError("unit: goes with published: give both or neither")
        return self

    def needs_depth(self, name: str, cell: Cell) -> None:
        """Raise ValueError for a depth where the metric is of all depths, or none elsewhere."""
        over_all = self.metric == "depth_reached"
        if over_all and cell.depth is not None:
            raise ValueError(f"{name}.depth: leave it out, {self.metric} is of all depths")
        if not over_all and cell.depth is None:
            raise ValueError(f"{name}.depth: {self.metric} needs one")


class Ordinal(_Said):
    """``lower`` has a smaller value of the metric than ``higher``."""

    kind: Literal["ordinal"]
    lower: Cell
    higher: Cell
    margin: Size | None = None  # smallest difference of interest; errors have a default

    @model_validator(mode="after")
    def _comparable(self) -> Ordinal:
        for name in ("lower", "higher"):
            self.needs_depth(name, getattr(self, name))
        if self.lower == self.higher:
            raise ValueError("higher: is the same cell as lower")
        if self.margin is None and self.measure.examples is None:
            raise ValueError(f"margin: {self.metric} has no default, say what difference matters")
        return self

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells that it is about, by field."""
        return {"lower": self.lower, "higher": self.higher}


class Numeric(_Said):
    """A cell's mean equals the published number, within the margin."""

    kind: Literal["numeric"]
    cell: Cell
    published: Finite
    unit: Line
    margin: Size | None = None  # else max(10 %, sampling noise of two test sets)

    @model_validator(mode="after")
    def _of_the_protocol(self) -> Numeric:
        if self.scale != "paper":
            raise ValueError(
                f"scale: {self.scale!r} cannot test a published number; allowed: 'paper'"
            )
        if self.measure.examples is None:
            if self.margin is None:
                raise ValueError(f"margin: {self.metric} has none, say what difference matters")
        elif not 0 <= self.published <= 100:
            raise ValueError(f"published: {self.published:g} must lie in [0, 100]")
        elif self.published == 0 and self.margin is None:  # a tenth of it, and its noise, are 0
            raise ValueError("margin: an error of 0 has none, say what difference matters")
        self.needs_depth("cell", self.cell)
        return self

    @property
    def cells(self) -> dict[str, Cell]:
        """The cell that it is about, by field."""
        return {"cell": self.cell}


class Threshold(_Said):
    """More than half of the runs of a cell train, or fewer."""

    kind: Literal["threshold"]
    metric: Literal["trained"]
    cell: Cell
    expected: Literal["trains", "fails"]

    @model_validator(mode="after")
    def _at_a_depth(self) -> Threshold:
        self.needs_depth("cell", self.cell)
        return self

    @property
    def cells(self) -> dict[str, Cell]:
        """The cell that it is about, by field."""
        return {"cell": self.cell}


class Trend(_Said):
    """The metric rises or falls with depth; or, at one depth, lies above or below 0."""

    kind: Literal["trend"]
    recipe: str
    depths: tuple[Positive, ...] = Field(min_length=1, strict=False)
    sign: Literal["rising", "falling", "positive", "negative"]

    @model_validator(mode="after")
    def _has_a_sign(self) -> Trend:
        if list(self.depths) != sorted(set(self.depths)):
            raise ValueError(f"depths: {list(self.depths)} must ascend without repeats")
        if self.metric == "depth_reached":
            raise ValueError("metric: 'depth_reached' has no trend with depth")
        slope = self.sign in ("rising", "falling")
        if slope and len(self.depths) < 3:
            raise ValueError(f"depths: {list(self.depths)} are too few for {self.sign!r}, give 3")
        if not slope and len(self.depths) > 1:
            raise ValueError(f"depths: {list(self.depths)} are too many for {self.sign!r}, give 1")
        if not slope and not self.measure.signed:
            known = {name: metric(self.suite, name) for name in metric_names(self.suite)}
            signed = ", ".join(name for name, m in known.items() if m.signed)
            raise ValueError(f"metric: the sign of {self.metric!r} says nothing; allowed: {signed}")
        return self

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells that it is about, by field."""
        return {f"depths.{i}": Cell(recipe=self.recipe, depth=d) for i, d in enumerate(self.depths)}


Claim = Ordinal | Numeric | Threshold | Trend
KINDS: dict[str, type[Claim]] = {
    "ordinal": Ordinal,
    "numeric": Numeric,
    "threshold": Threshold,
    "trend": Trend,
}


@dataclass(frozen=True)
class Paper:
    """A claims file."""

    key: str  # citation key
    path: Path
    claims: tuple[Claim, ...]


class _File(Strict):
    key: Name
    claims: list[dict] = Field(min_length=1)


def names() -> list[str]:
    """Citation keys of the papers that the project has claims of."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(paper: str) -> Paper:
    """The claims of the paper with this citation key, or in the TOML file at this path.

    Raises Problem, in one line, naming the file, the claim, the field, its value and what is
    allowed.
    """
    path = Path(paper) if paper.endswith(".toml") else FOLDER / f"{paper}.toml"
    try:
        table = read_toml(path)
    except FileNotFoundError:
        known = ", ".join(names())
        raise Problem(f"paper {paper}: no claims file; allowed: {known}, or a .toml file") from None
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        raise Problem(f"{path}: {one_line(error, _File)}") from None
    if file.key != path.stem:
        raise Problem(f"{path}: key: {file.key!r} must be the file's name, {path.stem!r}")
    claims: list[Claim] = []
    for number, given in enumerate(file.claims, 1):
        label = f"{path}: claim {number} ({str(given.get('id', 'no id'))[:60]!r})"
        claim = _claim(label, given)
        if any(claim.id == other.id for other in claims):
            raise Problem(f"{label}: id: {claim.id!r} is another claim's, too")
        claims.append(claim)
    return Paper(file.key, path, tuple(claims))


def _claim(label: str, given: dict) -> Claim:
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Problem(f"{label}: kind: {kind!r} is not a kind; allowed: {', '.join(KINDS)}")
    try:
        claim = KINDS[kind].model_validate(given)
    except ValidationError as error:
        raise Problem(f"{label}: {one_line(error, KINDS[kind])}") from None
    known = [*suites.names(), *experiments()]
    if claim.suite not in known:
        near = _near(claim.suite, known)
        raise Problem(f"{label}: suite: {claim.suite!r} is not a suite; allowed: {near}")
    suite = experiments().get(claim.suite) or suites.read(claim.suite)
    for field, cell in claim.cells.items():
        depths = [depth for recipe, depth in suite.cells if recipe == cell.recipe]
        if not depths:
            raise Problem(
                f"{label}: {field}.recipe: {cell.recipe!r} is none of suite {suite.name}'s; "
                f"allowed: {_near(cell.recipe, sorted({name for name, _ in suite.cells}))}"
            )
        if cell.depth is not None and cell.depth not in depths:
            raise Problem(
                f"{label}: {field}.depth: {cell.depth} is not run with {cell.recipe!r} in suite "
                f"{suite.name}; allowed: {', '.join(map(str, depths))}"
            )
    return claim


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=5, cutoff=0)
    return ", ".join(near) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
