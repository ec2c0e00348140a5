"""Every verdict, at the borders of its rule, from tables made by hand; and which was first."""

import math
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.claims import KINDS, Paper
from benchmarks.metrics import METRICS, Results, results_of
from benchmarks.suite import read
from benchmarks.verdicts import Outcome, Written, fixed_before, last_changed, verdicts

SAID = {
    "id": "a",
    "where": "Table 1",
    "statement": "so it is",
    "verified": "text",
    "scale": "reduced",
    "suite": "depth",
    "metric": "test_error_pct",
}
LOWER, HIGHER = {"recipe": "glorot", "depth": 5}, {"recipe": "plain", "depth": 5}


def claim(kind: str, **fields):
    return KINDS[kind].model_validate({**SAID, "kind": kind, **fields})


def ordinal(**fields):
    return claim("ordinal", **{"lower": LOWER, "higher": HIGHER, **fields})


def trials(technique: str, depth: int, values, column: str = "test_error_pct", **fields):
    """One finished reporting run per value, by seed; None for a run that crashed."""
    rows = [
        {
            "technique": technique,
            "depth": depth,
            "seed": seed,
            "role": "report",
            "status": "crashed" if value is None else "ok",
            "started": "2020-01-01T12:00:00Z",
            column: value,
            **fields,
        }
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def results(*frames: pd.DataFrame, scale="reduced", n_test=1000, layers=None, curves=None):
    empty = pd.DataFrame(columns=["technique", "depth"])
    return Results(
        scale,
        90.0,
        n_test,
        1000,
        pd.concat(frames, ignore_index=True) if frames else trials("none", 1, [0.0]),
        empty if layers is None else layers,
        empty if curves is None else curves,
    )


def judge(*claims, of: Results | None, committed=None):
    paper = Paper("x2000", Path("x2000.toml"), claims)
    dates = {} if committed is None else {claim.id: committed for claim in claims}
    return verdicts(paper, {} if of is None else {"depth": of}, dates)


def compare(differences, of_higher=20.0, **fields):
    """The verdict on an ordinal claim where every seed differs by so much."""
    lower = trials("glorot", 5, [of_higher - d for d in differences])
    return judge(ordinal(**fields), of=results(lower, trials("plain", 5, [of_higher] * 10)))[0]


# ---- ordinal: the margin is a tenth of 20 % -------------------------------------------------


@pytest.mark.parametrize(
    "differences, outcome, told",
    [
        ([2.0] * 10, "REPRODUCED", "at least the 2 that matter"),
        ([1.9] * 10, "PARTLY", "right in sign, but less than the 2 that matter"),
        # ranks 1.5 + 1.5 of 55: p = 10/1024, yet the second of ten is not above 0
        ([-0.1] * 2 + [5.0] * 8, "INCONCLUSIVE", "significant, but the interval holds 0"),
        ([-0.1] + [5.0] * 9, "REPRODUCED", "[5, 5]"),
        ([-0.1] * 2 + [1.9] * 8, "PARTLY", "right in sign"),
        ([-2.0] * 10, "NOT REPRODUCED", "the other way round"),
        ([-0.1] * 10, "NOT REPRODUCED", "the other way round"),
        ([0.0] * 10, "NOT REPRODUCED", "shown to be less than the 2 that matter (TOST, p 0)"),
        ([1.5, -1.5] * 5, "NOT REPRODUCED", "shown to be less than the 2"),
        ([3.5, -3.5] * 5, "INCONCLUSIVE", "neither a difference nor that there is none"),
    ],
)
def test_ordinal(differences, outcome, told):
    verdict = compare(differences)
    assert verdict.outcome == outcome and told in verdict.reason
    assert (verdict.n, verdict.margin, verdict.unit) == (10, 2.0, "points")


def test_a_verdict_carries_its_numbers():
    verdict = compare([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    assert (verdict.ours, verdict.low, verdict.high) == (5.5, 2, 9)
    assert (verdict.p, verdict.adjusted_p) == (2 / 1024, 2 / 1024)


def test_the_margin_is_never_below_what_a_small_test_set_can_tell():
    """1 of 100 wrong: Wilson's [.00177, .05449], and half of its half-width is 1.32 points."""
    small = results(trials("glorot", 5, [0.0] * 10), trials("plain", 5, [1.0] * 10), n_test=100)
    verdict = judge(ordinal(), of=small)[0]
    assert verdict.margin == pytest.approx(1.318, abs=1e-3)
    assert verdict.outcome == "PARTLY"
    assert compare([1.0] * 10, of_higher=1.0).outcome == "REPRODUCED"  # of 1,000


def test_the_margin_itself_is_enough():
    """22 - 19.8 is 2.2 in decimals, and a tenth of 22; neither is in binary."""
    assert compare([2.2] * 10, of_higher=22.0).outcome == "REPRODUCED"


def test_a_claim_can_have_a_margin_of_its_own():
    assert compare([1.0] * 10, margin=1.0).outcome == "REPRODUCED"
    assert compare([1.0] * 10, margin=1.01).outcome == "PARTLY"


def test_the_whole_file_shares_the_chance_of_an_error():
    """The least p of ten pairs is 2/1024: 25 claims fit below .05, and 26 do not."""
    of = results(trials("glorot", 5, [10.0] * 10), trials("plain", 5, [20.0] * 10))
    outcomes = [v.outcome for v in judge(*[ordinal()] * 25, of=of)]
    assert outcomes == ["REPRODUCED"] * 25
    found = judge(*[ordinal()] * 26, of=of)
    assert {v.outcome for v in found} == {"INCONCLUSIVE"}
    assert found[0].adjusted_p == 26 * found[0].p


def test_claims_that_are_not_tested_are_not_of_the_family():
    of = results(trials("glorot", 5, [10.0] * 10), trials("plain", 5, [20.0] * 10))
    found = judge(*[ordinal()] * 25, ordinal(min_seeds=11), of=of)
    assert found[0].outcome == "REPRODUCED" and found[25].outcome == "NOT TESTED"
    assert (found[25].p, found[25].adjusted_p) == (None, None)


def test_seeds_are_paired_by_their_number():
    lower = trials("glorot", 5, [float(i) for i in range(10)])
    higher = trials("plain", 5, [10.0 + i for i in range(10)]).sample(frac=1, random_state=1)
    found = judge(ordinal(), of=results(lower, higher))[0]
    assert (found.low, found.ours, found.high) == (10, 10, 10)


def test_a_crashed_run_is_missing_and_a_diverged_one_counts():
    lower = trials("glorot", 5, [1.0] * 10)
    crashed = trials("plain", 5, [20.0] * 9 + [None])
    found = judge(ordinal(), of=results(lower, crashed))[0]
    assert (found.outcome, found.n) == ("NOT TESTED", 9)
    diverged = trials("plain", 5, [20.0] * 10, status="diverged")
    assert judge(ordinal(), of=results(lower, diverged))[0].n == 10


def test_runs_that_tuned_do_not_count():
    tuned = trials("plain", 5, [False] * 10, "trained", role="tune")
    of = results(trials("plain", 5, [True] * 10, "trained"), tuned.assign(seed=range(1000, 1010)))
    cell = {"recipe": "plain", "depth": 5}
    found = judge(claim("threshold", metric="trained", cell=cell, expected="trains"), of=of)[0]
    assert (found.outcome, found.n) == ("REPRODUCED", 10)


# ---- numeric: D = 1.96 sqrt(2 x .02 x .98 / 10,000) = .388 of 2 % ----------------------------


@pytest.mark.parametrize(
    "values, outcome",
    [
        ([2.0] * 10, "REPRODUCED"),
        ([2.388] * 10, "REPRODUCED"),
        ([2.3881] * 10, "NOT REPRODUCED"),
        ([1.612] * 10, "REPRODUCED"),
        ([1.6119] * 10, "BETTER"),
        ([2.3, 2.5] * 5, "INCONCLUSIVE"),  # 2.4 +- 1.833 x .105 / sqrt(10) crosses 2.388
        ([2.25, 2.45] * 5, "INCONCLUSIVE"),  # the mean is inside, its interval is not
        ([2.22, 2.42] * 5, "REPRODUCED"),  # 2.32 + .061; 95 % would be + .075, and cross
        ([1.5, 1.7] * 5, "INCONCLUSIVE"),
        ([1.4, 1.9, 2.1, 2.6] * 3, "REPRODUCED"),  # single runs may lie outside
    ],
)
def test_numeric(values, outcome):
    published = claim(
        "numeric", scale="paper", published=2.0, unit="%", cell={"recipe": "plain", "depth": 5}
    )
    frame = trials("plain", 5, values)
    found = judge(published, of=results(frame, scale="paper", n_test=10_000))[0]
    assert found.outcome == outcome
    assert found.margin == pytest.approx(0.38806, abs=1e-5)
    assert (found.p < 0.05) == (outcome == "REPRODUCED")

    reduced = judge(published, of=results(frame, scale="reduced", n_test=10_000))[0]
    assert reduced.outcome == "NOT TESTED" and "reduced scale" in reduced.reason
    assert reduced.p is None and reduced.ours == found.ours


def test_a_tenth_of_a_large_error_is_its_margin():
    published = claim(
        "numeric", scale="paper", published=50.0, unit="%", cell={"recipe": "plain", "depth": 5}
    )
    of = results(trials("plain", 5, [54.9] * 10), scale="paper", n_test=10_000)
    found = judge(published, of=of)[0]
    assert (found.margin, found.outcome) == (5.0, "REPRODUCED")


# ---- threshold ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trained, if_trains, if_fails",
    [  # Wilson of 8/10 is [.490, .943], of 9/10 [.596, .982]
        (10, "REPRODUCED", "NOT REPRODUCED"),
        (9, "REPRODUCED", "NOT REPRODUCED"),
        (8, "INCONCLUSIVE", "INCONCLUSIVE"),
        (5, "INCONCLUSIVE", "INCONCLUSIVE"),
        (2, "INCONCLUSIVE", "INCONCLUSIVE"),
        (1, "NOT REPRODUCED", "REPRODUCED"),
        (0, "NOT REPRODUCED", "REPRODUCED"),
    ],
)
def test_threshold(trained, if_trains, if_fails):
    of = results(trials("plain", 5, [s < trained for s in range(10)], "trained"))
    cell = {"recipe": "plain", "depth": 5}
    for expected, outcome in (("trains", if_trains), ("fails", if_fails)):
        found = judge(claim("threshold", metric="trained", cell=cell, expected=expected), of=of)[0]
        assert found.outcome == outcome and f"{trained}/10 runs trained" in found.reason


# ---- trend ----------------------------------------------------------------------------------


def at_depths(slopes) -> Results:
    """Test errors that rise by each seed's slope a layer."""
    return results(*[trials("plain", d, [20 + s * d for s in slopes]) for d in (3, 5, 8)])


@pytest.mark.parametrize(
    "slopes, if_rising, if_falling",
    [
        ([1.0] * 10, "REPRODUCED", "NOT REPRODUCED"),
        ([-1.0] + [1.0] * 9, "REPRODUCED", "NOT REPRODUCED"),  # the second of ten is above 0
        ([-1.0] * 2 + [1.0] * 8, "INCONCLUSIVE", "INCONCLUSIVE"),
        ([0.0] * 10, "NOT REPRODUCED", "NOT REPRODUCED"),  # shown to be none
        ([-0.39] * 5 + [0.39] * 5, "NOT REPRODUCED", "NOT REPRODUCED"),  # 2 points over 5 layers
        ([-0.8] * 5 + [0.8] * 5, "INCONCLUSIVE", "INCONCLUSIVE"),
        ([-1.0] * 9 + [1.0], "NOT REPRODUCED", "REPRODUCED"),
    ],
)
def test_trend(slopes, if_rising, if_falling):
    for sign, outcome in (("rising", if_rising), ("falling", if_falling)):
        found = judge(
            claim("trend", recipe="plain", depths=[3, 5, 8], sign=sign), of=at_depths(slopes)
        )[0]
        assert found.outcome == outcome and "% per layer [" in found.reason


def layers(technique: str, depth: int, gradients, saturated=None, update=0) -> pd.DataFrame:
    """Probes of one cell: gradients (seeds, layers)."""
    rows = [
        {
            "technique": technique,
            "depth": depth,
            "seed": seed,
            "update": update,
            "layer": layer,
            "gradient_rms": rms,
            "saturated": 0.0 if saturated is None else saturated[layer - 1],
        }
        for seed, by_layer in enumerate(gradients)
        for layer, rms in enumerate(by_layer, 1)
    ]
    return pd.DataFrame(rows)


def test_a_sign_at_one_depth():
    shrinking = [[1e-6, 1e-4, 1e-2]] * 10
    of = results(trials("plain", 3, [90.0] * 10), layers=layers("plain", 3, shrinking))
    fields = {"metric": "gradient_slope_log10_start", "recipe": "plain", "depths": [3]}
    found = judge(claim("trend", sign="positive", **fields), of=of)[0]
    assert (found.outcome, found.ours) == ("REPRODUCED", pytest.approx(2))
    assert found.unit == "decades a layer"
    assert judge(claim("trend", sign="negative", **fields), of=of)[0].outcome == "NOT REPRODUCED"


def test_a_seed_whose_gradient_is_zero_has_no_line():
    steps = [layers("plain", d, [[10.0**-d] + [1.0] * (d - 1)] * 10) for d in (3, 5, 8)]
    steps[2].loc[steps[2]["seed"].eq(4) & steps[2]["layer"].eq(1), "gradient_rms"] = 0.0
    fields = {"metric": "gradient_ratio_log10_start", "recipe": "plain", "depths": [3, 5, 8]}
    found = judge(
        claim("trend", sign="falling", **fields),
        of=results(trials("plain", 3, [90.0] * 10), layers=pd.concat(steps)),
    )[0]
    assert (found.outcome, found.n, found.ours) == ("NOT TESTED", 9, pytest.approx(-1))


# ---- not tested -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "of, told",
    [
        (None, "no trials of suite depth"),
        (results(), "no runs of these cells in suite depth have the metric"),
        (
            results(trials("glorot", 5, [1.0] * 9), trials("plain", 5, [20.0] * 9)),
            "too few runs: 9, of 10 that it needs",
        ),
    ],
)
def test_what_there_are_no_runs_for_is_not_tested(of, told):
    found = judge(ordinal(), of=of)[0]
    assert (found.outcome, found.reason, found.p) == ("NOT TESTED", told, None)


def test_every_outcome_is_reached_by_these_tests():
    """A rule that no table can meet would be one that nobody has tried."""
    reached = {
        compare([2.0] * 10).outcome,
        compare([1.9] * 10).outcome,
        compare([0.0] * 10).outcome,
        compare([3.5, -3.5] * 5).outcome,
        judge(ordinal(), of=None)[0].outcome,
        Outcome.BETTER,  # test_numeric
    }
    assert reached == set(Outcome)


# ---- metrics --------------------------------------------------------------------------------


def test_gradient_metrics_by_hand():
    start = layers("plain", 3, [[1e-6, 1e-3, 1e-2], [0.0, 1e-3, 1e-2], [0.0, 0.0, 0.0]])
    end = layers("plain", 3, [[1e-1, 1e-3, 1e-2]] * 3, update=1000)
    of = results(trials("plain", 3, [1.0] * 3), layers=pd.concat([end, start])).of("plain", [3])
    ratio = METRICS["gradient_ratio_log10_start"].by_seed(of)
    assert ratio[0] == pytest.approx(-4) and ratio[1] == -math.inf and math.isnan(ratio[2])
    assert METRICS["gradient_ratio_log10_end"].by_seed(of)[0] == pytest.approx(1)
    slope = METRICS["gradient_slope_log10_start"].by_seed(of)
    assert slope[0] == pytest.approx(2) and slope[1:].isna().all()  # (-6, -3, -2): half of 4


def test_saturation_metrics_are_of_the_top_layer():
    start = layers("plain", 2, [[1.0, 1.0]] * 2, [0.5, 0.1])
    end = layers("plain", 2, [[1.0, 1.0]] * 2, [0.0, 0.9], update=1000)
    of = results(trials("plain", 2, [1.0] * 2), layers=pd.concat([start, end])).of("plain", [2])
    for name, expected in (("pct_start", 10), ("pct_end", 90), ("change_pct", 80)):
        assert METRICS[f"top_saturation_{name}"].by_seed(of).tolist() == pytest.approx(
            [expected] * 2
        )


def test_updates_to_trained_is_the_first_evaluation_at_half_of_chance():
    rows = [("plain", 5, 0, 0, 90), ("plain", 5, 0, 100, 45), ("plain", 5, 0, 200, 3)]
    rows += [("plain", 5, 1, 0, 90), ("plain", 5, 1, 100, None), ("plain", 5, 1, 200, 45.1)]
    curves = pd.DataFrame(rows, columns=["technique", "depth", "seed", "update", "train_error_pct"])
    runs = trials("plain", 5, [1.0] * 2)
    of = results(runs, curves=curves).of("plain", [5])
    assert METRICS["updates_to_trained"].by_seed(of).tolist() == [100, math.inf]
    # one that diverged after it had got there has nothing to show: T8 has the same rule
    of = results(runs.assign(status=["diverged", "ok"]), curves=curves).of("plain", [5])
    assert METRICS["updates_to_trained"].by_seed(of).tolist() == [math.inf, math.inf]


def test_training_loss_is_the_lowest_and_of_a_diverged_run_that_of_chance():
    rows = [("plain", 5, 0, 2.0), ("plain", 5, 0, 0.01), ("plain", 5, 0, 0.1)]
    rows += [("plain", 5, 1, 0.001), ("plain", 5, 1, None)]
    curves = pd.DataFrame(rows, columns=["technique", "depth", "seed", "train_loss"])
    runs = trials("plain", 5, [1.0] * 2).assign(status=["ok", "diverged"])
    of = results(runs, curves=curves).of("plain", [5])
    chance = math.log10(-math.log(1 - of.chance_error_pct / 100))
    found = METRICS["train_loss_log10"].by_seed(of).tolist()
    assert found == pytest.approx([-2, chance])


def test_depths_reached_are_compared_at_the_depths_that_both_were_run_at():
    """Seeds of glorot train to depth 8, those of plain to 3; glorot's run at 12 has no rival."""
    frames = [trials("plain", d, [d <= 3] * 10, "trained") for d in (3, 5, 8)]
    frames += [trials("glorot", d, [True] * 10, "trained") for d in (3, 5, 8, 12)]
    fields = {"metric": "depth_reached", "margin": 1.0}
    reached = ordinal(lower={"recipe": "plain"}, higher={"recipe": "glorot"}, **fields)
    found = judge(reached, of=results(*frames))[0]
    assert (found.outcome, found.ours, found.unit) == ("REPRODUCED", 5, "layers")


def test_results_of_a_suite_come_from_its_records(finished):
    suite, plan, records = finished
    of = results_of(suite, plan, records)
    assert (of.scale, of.chance_error_pct, of.n_test) == ("reduced", 90.0, 1000)
    assert of.n_seen == min(suite.data.n_train, suite.data.n_valid)
    assert set(of.trials["started"]) == {"2020-01-01T12:00:00Z"}
    assert results_of(suite, plan, {}) is None


@pytest.fixture
def finished():
    """Suite smoke with a record for every reporting trial."""
    from benchmarks.plan import tuning_trials

    suite = read("smoke")
    plan = tuning_trials(suite, "cpu")
    result = {"test_error_pct": 5.0, "chance_error_pct": 90.0, "n_test": 1000}
    records = {
        trial.key: {
            "status": "ok",
            "result": result,
            "env": {"started": "2020-01-01T12:00:00Z"},
            "curves": {},
            "probes": [],
        }
        for trial in plan
    }
    return suite, plan, records


# ---- which was first ------------------------------------------------------------------------

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "committed, started, written",
    [
        (NOON.replace(hour=11), [NOON, NOON.replace(hour=13)], Written.BEFORE),
        (NOON, [NOON], Written.AFTER),  # in the same second: not shown to be before
        (NOON.replace(hour=13), [NOON.replace(hour=14), NOON], Written.AFTER),
        (None, [NOON], Written.UNKNOWN),
        (NOON, [], Written.UNKNOWN),
    ],
)
def test_a_claim_is_fixed_if_it_precedes_all_of_its_trials(committed, started, written):
    assert fixed_before(committed, started) == written


def test_the_trials_of_the_claims_own_cells_count_those_that_tuned_too():
    of = results(
        trials("glorot", 5, [10.0] * 10),
        trials("plain", 5, [20.0] * 10),
        trials("plain", 5, [20.0], role="tune", started="2020-01-01T10:00:00Z"),
        trials("plain", 8, [20.0], started="2020-01-01T08:00:00Z"),
        trials("tanh", 5, [20.0], started="2020-01-01T08:00:00Z"),
        trials("tanh", 5, [20.0], started=None),
    )
    for hour, written in ((9, Written.BEFORE), (11, Written.AFTER)):
        found = judge(ordinal(), of=of, committed=NOON.replace(hour=hour))[0]
        assert found.written == written
    assert judge(ordinal(), of=of)[0].written == Written.UNKNOWN


def test_git_says_when_each_claim_was_last_changed(tmp_path):
    def git(*arguments, date="2020-01-01T11:00:00+00:00"):
        who = {"NAME": "a", "EMAIL": "a@example.org", "DATE": date}
        env = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": "/usr/bin:/bin:/usr/local/bin"}
        subprocess.run(["git", *arguments], cwd=tmp_path, env=env | quiet, check=True)

    def write(*blocks):
        path.write_text("".join(f"[[claims]]\n{block}\n" for block in blocks))
        return last_changed(path)

    def commit(hour):
        git("add", "-A")
        git("commit", "-qm", "claims", date=f"2020-01-01T{hour}:00:00+00:00")
        return {id_: time.hour for id_, time in last_changed(path).items()}

    path = tmp_path / "x2000.toml"
    one, two = 'id = "one"\nmargin = 1.0\nwhere = "page 1"', 'id = "two"\nmargin = 2.0'
    assert write(one, two) == {}  # no repository
    git("init", "-q")
    assert last_changed(path) == {}  # not committed
    assert commit(11) == {"one": 11, "two": 11}
    (tmp_path / "other.toml").write_text("key = 2\n")
    assert commit(12) == {"one": 11, "two": 11}
    assert list(write(one, 'id = "two"')) == ["one"]  # a margin taken away, not committed
    assert commit(13) == {"one": 11, "two": 13}
    write(one, two)
    assert commit(14) == {"one": 11, "two": 14}  # back, but not all the time
    write(two, "# found by A. Reader\n" + one.replace("page 1", "page 2"))
    assert commit(15) == {"one": 11, "two": 14}
    for broken in (b"no [ TOML", b"[[claims]]\nmargin = 1.0\n", b"claims = 1\n", b"# \xe9\n"):
        path.write_bytes(broken)
        git("commit", "-qam", "broken", date="2020-01-01T16:00:00+00:00")
    write(one, two)
    assert commit(17) == {"one": 17, "two": 17}
    # on a line of its own, a claim is as old as it is there, though the other line lacks it
    three = 'id = "three"'
    git("checkout", "-qb", "side")
    write(one, two, three)
    commit(18)
    git("checkout", "-q", "-")
    write(one, two + " # the other line goes on")
    commit(19)
    git("merge", "-q", "-s", "ours", "--no-commit", "side")
    write(one, two, three)
    assert commit(20) == {"one": 17, "two": 17, "three": 18}
