"""A suite: which networks to train, on what, how often and for how long, as a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections import ChainMap
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmarks.datasets import DATA_SETS
from benchmarks.factorial import FACTORS, recipe_names
from benchmarks.factorial import recipe as factorial_recipe
from benchmarks.paper_recipes import PAPER_RECIPES
from benchmarks.problem import Problem
from techniques.recipe import RECIPES, Recipe

FOLDER = Path(__file__).parent / "suites"

KNOWN = ChainMap(RECIPES, PAPER_RECIPES)  # what is added to either later is known too

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=float("inf"))]


class Strict(BaseModel):
    """A table whose fields are known and of the right type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Strict):
    """The data set and its split; the parts default to the data set's own."""

    name: str
    n_train: Positive
    n_valid: Positive

    @model_validator(mode="before")
    @classmethod
    def _default_parts(cls, given: object) -> object:
        if not isinstance(given, dict):
            raise ValueError(f'{given!r} must be a table, such as {{ name = "mnist5k" }}')
        name = given.get("name")
        if not isinstance(name, str) or name not in DATA_SETS:
            raise ValueError(f"name: {name!r} is not a data set; allowed: {', '.join(DATA_SETS)}")
        if not DATA_SETS[name].classes:
            able = ", ".join(other for other, data in DATA_SETS.items() if data.classes)
            raise ValueError(f"name: {name!r} has no classes to learn; allowed: {able}")
        n_train, n_valid = DATA_SETS[name].parts
        return {"n_train": n_train, "n_valid": n_valid, **given}


class Budget(Strict):
    """How long every run trains, and when it is looked at (in updates)."""

    updates: Positive
    batch_size: Positive
    evaluate_every: Positive
    probe_at: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _within(self) -> Budget:
        if self.evaluate_every > self.updates:
            raise ValueError(
                f"evaluate_every: {self.evaluate_every} must be at most updates ({self.updates})"
            )
        late = [at for at in self.probe_at if at > self.updates]
        if late:
            raise ValueError(f"probe_at: {late[0]} must be at most updates ({self.updates})")
        for at in (0, self.updates):  # the report compares the start with the end
            if at not in self.probe_at:
                raise ValueError(f"probe_at: {list(self.probe_at)} must have 0 and {self.updates}")
        return self


class Tuning(Strict):
    """The grid of learning rates, the same for every recipe, and the seeds that try it.

    One rate, a paper's own or found elsewhere, needs no seeds.
    """

    lr: tuple[Rate, ...] = Field(min_length=1, strict=False)
    seeds: Annotated[int, Field(ge=0)]

    @field_validator("lr")
    @classmethod
    def _ascending(cls, lr: tuple[float, ...]) -> tuple[float, ...]:
        if list(lr) != sorted(set(lr)):
            raise ValueError(f"{list(lr)} must ascend without repeats")
        return lr

    @model_validator(mode="after")
    def _something_to_choose(self) -> Tuning:
        if self.seeds == 0 and len(self.lr) > 1:
            raise ValueError(f"seeds: 0 must be at least 1 to choose of {len(self.lr)} rates")
        return self


class Suite(Strict):
    """What one report is about."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    title: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]  # one line
    # the citation key of the paper that the suite reproduces, and whether by its own protocol
    paper: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=60)] | None = None
    scale: Literal["reduced", "paper"] = "reduced"
    data: Data
    factors: tuple[str, ...] = Field(default=(), strict=False)  # all combinations of these
    recipes: tuple[str, ...] = Field(min_length=1, strict=False)
    depths: tuple[Positive, ...] = Field(min_length=1, strict=False)
    # recipe -> the depths that it is run at, for those that would cost too much at the others
    depths_of: dict[str, Annotated[tuple[Positive, ...], Field(strict=False)]] = {}
    width: Positive  # of every hidden layer
    widths: tuple[Positive, ...] = Field(default=(), strict=False)  # or one by one, from below
    budget: Budget
    tuning: Tuning
    seeds: Positive  # reporting seeds: 0, 1, ...; tuning seeds start at 1000

    @model_validator(mode="before")
    @classmethod
    def _one_by_one(cls, given: object) -> object:
        """Layers of unlike width make one depth; ``width`` is then the widest."""
        widths = given.get("widths") if isinstance(given, dict) else None
        if not widths or not isinstance(widths, list | tuple):
            return given
        if not all(isinstance(width, int) and width > 0 for width in widths):
            raise ValueError(f"widths: {widths!r} must be one or more whole numbers from 1 on")
        implied = {"width": max(widths), "depths": [len(widths)]}
        for name, value in implied.items():
            if name in given and given[name] != value and given[name] != (len(widths),):
                raise ValueError(f"{name}: leave it out where widths are given")
        return {**given, **implied}

    @model_validator(mode="before")
    @classmethod
    def _combinations(cls, given: object) -> object:
        factors = given.get("factors") if isinstance(given, dict) else None
        if not factors or not isinstance(factors, list | tuple):
            return given
        for name in factors:
            if name not in FACTORS:
                raise ValueError(
                    f"factors: {name!r} is not a factor; allowed: {', '.join(FACTORS)}"
                )
            if FACTORS[name][1] not in RECIPES:
                raise ValueError(f"factors: {name!r} needs recipe {FACTORS[name][1]!r}, now gone")
        own = recipe_names(factors)
        if list(given.get("recipes", own)) != own:
            raise ValueError("recipes: leave it out where factors are given")
        return {**given, "recipes": own}

    @model_validator(mode="after")
    def _known(self) -> Suite:
        for name in self.recipes:
            if not self.factors and name not in KNOWN:
                near = ", ".join(get_close_matches(name, KNOWN, n=5, cutoff=0)[:5])
                raise ValueError(
                    f"recipes: {name!r} is not a recipe; allowed: {near} and the others that "
                    "'python -m benchmarks list' shows"
                )
        return self

    @model_validator(mode="after")
    def _within_depths(self) -> Suite:
        if self.factors and self.depths_of:
            raise ValueError("depths_of: leave it out where factors are given: effects need all")
        for name, depths in self.depths_of.items():
            if name not in self.recipes:
                raise ValueError(f"depths_of: {name!r} is none of the suite's recipes")
            strange = [depth for depth in depths if depth not in self.depths]
            if strange or not depths or len(set(depths)) < len(depths):
                raise ValueError(
                    f"depths_of.{name}: {list(depths)} must be some of depths {list(self.depths)}"
                )
        return self

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Recipe and depth of every row of the tables, in their order."""
        return [
            (name, depth)
            for name in self.recipes
            for depth in self.depths
            if depth in self.depths_of.get(name, self.depths)
        ]

    def recipe(self, name: str) -> Recipe:
        """The recipe of this name: one of the catalogue, or a combination of factors."""
        return factorial_recipe(name) if self.factors else KNOWN[name]

    @field_validator("factors", "recipes", "depths")
    @classmethod
    def _distinct(cls, values: tuple) -> tuple:
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{value!r} is listed twice; list it once")
        return values

    @model_validator(mode="after")
    def _inputs_suit(self) -> Suite:
        if not DATA_SETS[self.data.name].unit_interval:
            for name in self.recipes:
                recipe = self.recipe(name)
                if recipe.inputs is None and getattr(
                    recipe.pretraining, "needs_unit_interval", False
                ):
                    raise ValueError(
                        f"recipes: {name!r} needs inputs in [0, 1], and those of data "
                        f"{self.data.name!r} are not"
                    )
        return self

    @model_validator(mode="after")
    def _batch_fits(self) -> Suite:
        n_train = self.data.n_train
        if self.budget.batch_size > n_train:
            raise ValueError(
                f"budget.batch_size: {self.budget.batch_size} must be at most data.n_train "
                f"({n_train})"
            )
        for name in self.recipes:
            pretraining = self.recipe(name).pretraining
            batch_size = getattr(pretraining, "batch_size", 1)
            if batch_size > n_train:
                raise ValueError(
                    f"data.n_train: {n_train} must be at least {batch_size}, "
                    f"the batch that pretrains {name!r}"
                )
        if self.seeds > FIRST_TUNING_SEED:
            raise ValueError(f"seeds: {self.seeds} must be at most {FIRST_TUNING_SEED}")
        return self


FIRST_TUNING_SEED = 1000


def names() -> list[str]:
    """The suites that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(suite: str) -> Suite:
    """The suite of this name, or in the TOML file at this path.

    Raises Problem, in one line, naming the file, the field, its value and what is allowed.
    """
    path = Path(suite) if suite.endswith(".toml") else FOLDER / f"{suite}.toml"
    try:
        table = read_toml(path)
    except FileNotFoundError:
        near = ", ".join(get_close_matches(suite, names(), n=5, cutoff=0))
        raise Problem(
            f"suite {suite}: no such suite; allowed: {near} and the others that 'python -m "
            "benchmarks list' shows, or a .toml file"
        ) from None
    try:
        found = Suite.model_validate(table)
    except ValidationError as error:
        raise Problem(f"{path}: {one_line(error, Suite)}") from None
    shipped = FOLDER / f"{found.name}.toml"
    if shipped.exists() and not path.samefile(shipped):
        raise Problem(
            f"{path}: name: {found.name!r} is a suite of the project; choose another name"
        )
    return found


def read_toml(path: Path) -> dict:
    """What a TOML file says. Raises FileNotFoundError, and Problem for any other fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Problem(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, absurd numbers or nesting
        raise Problem(f"{path}: not TOML ({str(error)[:200]})") from None


def stored(path: Path) -> tuple[Suite, str, str]:
    """Suite, device and command that a report was made from, which are kept beside it.

    Raises Problem for a file that is not there, or does not say.
    """
    try:
        said = json.loads(path.read_bytes())
        suite = Suite.model_validate_json(json.dumps(said["suite"]))
        return suite, str(said["device"]), str(said["command"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(f"{path}: not the settings of a report ({str(error)[:100]})") from None


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of what was to be a ``model``: ``field: what is wrong with which value``."""
    # a misspelt field comes first: it is what makes another one missing
    first, *others = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "extra_forbidden":
        place = model.model_fields
        for part in first["loc"][:-1]:
            place = place[part].annotation.model_fields
        message = f"unknown field; allowed: {', '.join(place)}"
    elif first["type"] != "value_error" and first["type"] != "missing":
        message = f"{message}, got {repr(first['input'])[:80]}"
    more = f" (and {len(others)} more)" if others else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"
