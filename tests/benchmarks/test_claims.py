"""Claims files: those that come with the project, and damaged ones, told in one line."""

import re

import pytest

from benchmarks import claims
from benchmarks.claims import read
from benchmarks.problem import Problem

WHOLE = {
    "id": '"glorot-below-plain"',
    "kind": '"ordinal"',
    "where": '"Table 1"',
    "statement": '"it is better"',
    "verified": '"text"',
    "scale": '"reduced"',
    "suite": '"depth"',
    "metric": '"test_error_pct"',
    "lower": '{ recipe = "glorot", depth = 5 }',
    "higher": '{ recipe = "plain", depth = 5 }',
}
KINDS = {
    "ordinal": {},
    "numeric": {
        "kind": '"numeric"',
        "scale": '"paper"',
        "published": "2.21",
        "unit": '"%"',
        "cell": '{ recipe = "plain", depth = 5 }',
        "lower": None,
        "higher": None,
    },
    "threshold": {
        "kind": '"threshold"',
        "metric": '"trained"',
        "cell": '{ recipe = "plain", depth = 5 }',
        "expected": '"fails"',
        "lower": None,
        "higher": None,
    },
    "trend": {
        "kind": '"trend"',
        "recipe": '"plain"',
        "depths": "[3, 5, 8]",
        "sign": '"rising"',
        "lower": None,
        "higher": None,
    },
}


def text(base: str = "ordinal", **changes: str | None) -> str:
    """A claims file of one claim; None leaves a field out."""
    fields = WHOLE | KINDS[base] | changes
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    return "\n".join(['key = "x2000"', "[[claims]]", *lines])


@pytest.fixture
def claims_file(tmp_path):
    def write(content: str):
        path = tmp_path / "x2000.toml"
        path.write_text(content)
        return str(path)

    return write


@pytest.mark.parametrize("key", claims.names())
def test_every_file_of_the_project_can_be_read(key):
    paper = read(key)
    assert paper.key == key and paper.claims
    for claim in paper.claims:  # nobody is told that memory is the paper's text
        assert claim.verified in ("text", "quotation", "memory") and claim.departs


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_of_each_kind_is_read(kind, claims_file):
    paper = read(claims_file(text(kind)))
    assert [type(claim).__name__.lower() for claim in paper.claims] == [kind]
    assert paper.claims[0].min_seeds == 10


NO_SUCH_METRIC = (
    "metric: 'speed' is not a metric; allowed: test_error_pct, train_error_pct, trained"
)


@pytest.mark.parametrize(
    "kind, changes, told",
    [
        ("ordinal", {"kind": '"wish"'}, "kind: 'wish' is not a kind; allowed: ordinal, numeric"),
        ("ordinal", {"kind": None}, "kind: None is not a kind; allowed: ordinal, numeric"),
        ("ordinal", {"metric": '"speed"'}, NO_SUCH_METRIC),
        ("ordinal", {"verified": '"yes"'}, "verified: input should be 'text', 'quotation' or 'mem"),
        ("ordinal", {"scale": '"large"'}, "scale: input should be 'reduced' or 'paper', got 'lar"),
        ("ordinal", {"suite": '"deep"'}, "suite: 'deep' is not a suite; allowed: depth, "),
        ("ordinal", {"where": None}, "where: field required"),
        ("ordinal", {"where": '"a\\nb"'}, "where: string should match pattern"),
        ("ordinal", {"id": '"A b"'}, "id: string should match pattern"),
        ("ordinal", {"min_seeds": "5"}, "min_seeds: input should be greater than or equal to 10"),
        ("ordinal", {"margin": "0"}, "margin: input should be greater than 0, got 0"),
        ("ordinal", {"margin": "nan"}, "margin: input should be less than inf, got nan"),
        ("ordinal", {"margins": "1"}, "margins: unknown field; allowed: id, where, statement"),
        ("ordinal", {"published": "2.0"}, "unit: goes with published: give both or neither"),
        ("ordinal", {"published": "inf", "unit": '"%"'}, "published: input should be a finite num"),
        ("ordinal", {"metric": '"trained"'}, "margin: trained has no default, say what differe"),
        (
            "ordinal",
            {"lower": '{ recipe = "glorat", depth = 5 }'},
            "lower.recipe: 'glorat' is none of suite depth's; allowed: glorot, ",
        ),
        (
            "ordinal",
            {"lower": '{ recipe = "dense", depth = 30 }'},
            "lower.depth: 30 is not run with 'dense' in suite depth; allowed: 1, 2, 3, 5, 8, 12",
        ),
        ("ordinal", {"lower": '{ recipe = "glorot" }'}, "lower.depth: test_error_pct needs one"),
        (
            "ordinal",
            {"lower": '{ recipe = "glorot", depth = 5, width = 3 }'},
            "lower.width: unknown field; allowed: recipe, depth",
        ),
        (
            "ordinal",
            {"metric": '"depth_reached"', "margin": "1.0"},
            "lower.depth: leave it out, depth_reached is of all depths",
        ),
        ("ordinal", {"lower": WHOLE["higher"]}, "higher: is the same cell as lower"),
        ("numeric", {"scale": '"reduced"'}, "scale: 'reduced' cannot test a published number"),
        ("numeric", {"published": None, "unit": None}, "published: field required"),
        ("numeric", {"published": "-1"}, "published: -1 must lie in [0, 100]"),
        ("numeric", {"published": "0"}, "margin: an error of 0 has none, say what difference"),
        ("numeric", {"published": "nan"}, "published: input should be a finite number"),
        (
            "numeric",
            {"metric": '"trained"'},
            "margin: trained has none, say what difference matters",
        ),
        ("numeric", {"cell": '{ recipe = "plain" }'}, "cell.depth: test_error_pct needs one"),
        ("threshold", {"metric": '"test_error_pct"'}, "metric: input should be 'trained', got"),
        ("threshold", {"expected": '"dies"'}, "expected: input should be 'trains' or 'fails'"),
        ("threshold", {"cell": '{ recipe = "plain" }'}, "cell.depth: trained needs one"),
        ("trend", {"depths": "[5, 3, 8]"}, "depths: [5, 3, 8] must ascend without repeats"),
        ("trend", {"depths": "[3, 5]"}, "depths: [3, 5] are too few for 'rising', give 3"),
        ("trend", {"sign": '"positive"'}, "depths: [3, 5, 8] are too many for 'positive', give 1"),
        ("trend", {"depths": "[5]"}, "depths: [5] are too few for 'rising', give 3"),
        (
            "trend",
            {"depths": "[5]", "sign": '"positive"'},
            "metric: the sign of 'test_error_pct' says nothing; allowed: gradient_ratio_log10",
        ),
        ("trend", {"metric": '"depth_reached"'}, "metric: 'depth_reached' has no trend with depth"),
        ("trend", {"recipe": '"plane"'}, "depths.0.recipe: 'plane' is none of suite depth's"),
        ("trend", {"depths": "[3, 5, 9]"}, "depths.2.depth: 9 is not run with 'plain' in suite"),
    ],
)
def test_a_damaged_claim_is_told_in_one_line(kind, changes, told, claims_file):
    path = claims_file(text(kind, **changes))
    with pytest.raises(Problem, match=re.escape(told)) as problem:
        read(path)
    assert str(problem.value).startswith(f"{path}: claim 1 (") and "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "content, told",
    [
        ("key = ", "not TOML"),
        ("", "key: field required (and 1 more)"),
        ('key = "x2000"\nclaims = []', "claims: list should have at least 1 item"),
        ('key = "x2000"\nclaims = [3]', "claims.0: input should be a valid dictionary, got 3"),
        (text().replace("x2000", "y1999"), "key: 'y1999' must be the file's name, 'x2000'"),
        (text().replace("[[claims]]", "[[claim]]"), "claim: unknown field; allowed: key, claims"),
        (
            text() + "\n" + text().split("\n", 1)[1],
            "claim 2 ('glorot-below-plain'): id: 'glorot-below-plain' is another claim's, too",
        ),
    ],
)
def test_a_damaged_file_is_told_in_one_line(content, told, claims_file):
    path = claims_file(content)
    with pytest.raises(Problem, match=re.escape(told)) as problem:
        read(path)
    assert path in str(problem.value) and "\n" not in str(problem.value)


def test_a_paper_without_claims_is_told_with_those_that_have_them():
    with pytest.raises(Problem, match="paper nobody1900: no claims file; allowed: .*glorot2010"):
        read("nobody1900")
