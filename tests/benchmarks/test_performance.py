"""The comparison with peers: what is counted, what gets a verdict, what the report says."""

import json
import math
import sys
from dataclasses import asdict

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.__main__ import main
from benchmarks.performance import comparisons, figures, measure, ours, peers, report
from benchmarks.performance.comparisons import Comparison, ratios
from benchmarks.performance.measure import Contender, Group, Laboratory, Measured, Timings
from benchmarks.problem import Problem
from benchmarks.report import write_all
from techniques.pretraining.rbm import Machine, contrastive_divergence

SHAPE = {"depth": 2, "width": 5, "batch_size": 10}


def timings(seconds, work=12.0, **others) -> Timings:
    return Timings(work, 3, list(seconds), [2 * s for s in seconds], **others)


def row(**options) -> Comparison:
    return Comparison("ours", "theirs", "g", "a", ("b",))._replace(**options)


def one(comparison: Comparison, seen: Measured) -> dict:
    return ratios([comparison], {"g": seen}, cores=2).iloc[0].to_dict()


def test_a_ratio_is_the_median_over_repeats_of_the_rates_of_that_repeat():
    # ours does 12 in 1, 2 and 4 s, theirs 6 in 2, 2 and 2: 12/3, 6/3 and 3/3
    seen = Measured({"a": timings([1, 2, 4]), "b": timings([2, 2, 2], work=6.0)}, others=0.0)
    found = one(row(at_least=2.0), seen)
    assert [found[k] for k in ("ratio", "low", "high")] == [2.0, 1.0, 4.0]
    assert (found["target"], found["met"], found["idle"]) == (">= 2", "yes", "yes")
    assert one(row(at_least=2.1), seen)["met"] == "no"
    assert one(row(), seen)["met"] == ""


def test_the_best_of_several_peers_counts():
    seen = Measured({"a": timings([1]), "b": timings([4]), "c": timings([2])}, others=0.0)
    assert one(row(theirs=("b", "c")), seen)["ratio"] == 2.0
    seen.timings["c"] = Timings(failed="ImportError: no c")
    assert one(row(theirs=("b", "c")), seen)["ratio"] == 4.0
    assert math.isnan(float(one(row(theirs=("c",)), seen)["ratio"] or math.nan))
    seen.timings["a"] = Timings(failed="OSError: no a")
    assert one(row(at_least=1.0), seen)["met"] == ""


def test_the_best_is_the_one_of_the_best_median_by_the_clock_that_counts():
    # b has the best single repeat, c the best median; by CPU seconds it is b
    seen = Measured(
        {"a": timings([2] * 3), "b": timings([1, 4, 4]), "c": timings([3, 3, 3])}, others=0.0
    )
    assert one(row(theirs=("b", "c")), seen)["ratio"] == 1.5
    seen.timings["b"].cpu, seen.timings["c"].cpu = [8.0] * 3, [16.0] * 3
    assert one(row(theirs=("b", "c"), clock="cpu"), seen)["ratio"] == 2.0


def test_cpu_seconds_can_count_instead():
    seen = Measured({"a": timings([1]), "b": timings([2])}, others=0.0)
    seen.timings["b"].cpu = [10.0]
    assert one(row(), seen)["ratio"] == 2.0
    assert one(row(clock="cpu"), seen)["ratio"] == 5.0


def test_what_exceeds_the_bare_work_is_overhead_and_has_an_upper_limit():
    seen = Measured({"a": timings([11.0, 12.0, 10.5], bare=[10.0, 10.0, 10.0])}, others=0.0)
    found = one(row(theirs=(), at_most=0.1), seen)
    assert found["ratio"] == pytest.approx(0.1) and found["target"] == "<= 0.1"
    assert found["met"] == ("yes" if found["ratio"] <= 0.1 else "no")
    assert one(row(theirs=(), at_most=0.09), seen)["met"] == "no"


def test_a_busy_machine_gets_no_verdict():
    seen = Measured({"a": timings([1]), "b": timings([9])}, others=measure.IDLE + 0.001)
    found = one(row(at_least=1.0), seen)
    assert (found["met"], found["idle"]) == ("", "no") and found["ratio"] == 9.0
    seen.others = measure.IDLE  # of 2 cores a tenth of one, of 64 more than three
    assert comparisons.is_idle(seen, 2) and not comparisons.is_idle(seen, 64)


def test_the_bound_is_the_ratio_that_the_products_alone_would_have():
    seen = Measured(
        {"a": timings([2] * 3), "b": timings([4] * 3), "p": timings([1, 2, 0.5])}, others=0.0
    )
    assert comparisons.bounds([row(bound="p"), row()], {"g": seen}) == [4.0, None]


@pytest.mark.parametrize("depth, width, batch_size", [(1, 4, 3), (3, 6, 10)])
def test_operations_of_a_step_are_those_that_torch_counts(depth, width, batch_size):
    job = ours.training_step(depth, width, batch_size, runs=2, n_examples=20, readable=True)
    job.run(1)
    with FlopCounterMode(display=False) as counter:
        job.run(1)
    assert counter.get_total_flops() == job.amount
    with torch.random.fork_rng(), FlopCounterMode(display=False) as counter:
        ours.products_of_a_step(depth, width, batch_size, runs=2).run(1)
    assert counter.get_total_flops() == job.amount


def test_operations_of_pretraining_are_those_that_torch_counts():
    zeros = torch.zeros
    machine = Machine(zeros(2, 784, 7), zeros(2, 1, 784), zeros(2, 1, 7))
    with FlopCounterMode(display=False) as counter:
        contrastive_divergence(
            zeros(2, 5, 784), machine, cd_k=1, sample_visible=False, uniform=torch.zeros_like
        )
    assert counter.get_total_flops() == 2 * ours.pretraining_operations((7,), 5, 5)
    layers = ours.pretraining_operations((7, 7), 5, 20)  # 4 batches; the second is 7 x 7
    assert layers == 4 * ours.pretraining_operations((7,), 5, 5) * (1 + 7 / 784)
    with torch.random.fork_rng(), FlopCounterMode(display=False) as counter:
        products = ours.products_of_pretraining((7, 7), 5, runs=2)
        products.run(1)
    assert counter.get_total_flops() == products.amount == 2 * layers / 4


JOBS = {
    "ours.training_step": {**SHAPE, "runs": 2, "n_examples": 40},
    "ours.whole_trials": {**SHAPE, "runs": 2, "updates": 2},
    "ours.sweep": {"trials": 2, "workers": 0, "updates": 1},
    "peers.plain_loop": {**SHAPE, "n_examples": 40, "loader": True},
    "peers.plain_trials": {**SHAPE, "updates": 3, "loader": False},
    "peers.vmap": {**SHAPE, "n_examples": 40, "runs": 2},
    "peers.sklearn_mlp": {**SHAPE, "n_examples": 40},
    "peers.sklearn_rbm": {"width": 5, "batch_size": 10, "n_examples": 40},
}


@pytest.mark.parametrize("name", JOBS)
def test_jobs_run_as_often_as_asked_and_say_how_much_they_do(name):
    module, function = name.split(".")
    with torch.random.fork_rng():  # peers use the global generator, as their users would
        job = getattr({"ours": ours, "peers": peers}[module], function)(**JOBS[name])
        job.run(2)
    assert job.amount > 0


def test_ours_and_the_plain_loops_do_the_same_amount_of_work():
    with torch.random.fork_rng():
        a = ours.training_step(**SHAPE, runs=3, n_examples=40)
        b = peers.plain_loop(**SHAPE, n_examples=40, loader=False)
        c = peers.vmap(**SHAPE, n_examples=40, runs=3)
    assert 3 * b.amount == c.amount == 4 * a.amount  # 4 batches an epoch


def test_all_that_is_compared_is_measured_under_a_name_of_its_own():
    for cores in (1, 2, 6):
        groups = {g.name: [c.name for c in g.contenders] for g in comparisons.groups(cores)}
        assert len(groups) == len(comparisons.groups(cores))
        assert all(len(set(names)) == len(names) for names in groups.values())
        rows = comparisons.comparisons(cores)
        for r in rows:
            assert {r.ours, *r.theirs, r.bound or r.ours} <= set(groups[r.group])
        assert len({(r.what, r.against) for r in rows}) == len(rows)


def test_the_seeds_of_the_whole_machine_are_those_that_are_trained():
    assert [comparisons.seeds_on(n) for n in (1, 2, 4, 64)] == [(1, 10), (2, 5), (4, 3), (10, 1)]
    assert [comparisons.seeds_text(n) for n in (2, 4, 64)] == ["10 seeds", "12 seeds", "10 seeds"]


def test_plain_loops_are_tried_with_up_to_all_threads():
    assert [comparisons.thread_counts(n) for n in (1, 2, 6, 8)] == [
        [1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8],
    ]  # fmt: skip


def test_contenders_take_turns_and_one_that_fails_costs_only_itself():
    good = Contender("good", "ours.training_step", {**SHAPE, "runs": 2, "n_examples": 40})
    twice = Contender("twice", good.job, good.options, processes=2)
    bad = Contender("bad", "peers.no_such_thing")
    with Laboratory() as laboratory:
        seen = laboratory.measure(Group("g", (bad, good, twice), seconds=0.05), 3)
        failed = seen.timings["bad"]
        assert "no_such_thing" in failed.failed and not failed.wall
        for name in ("good", "twice"):
            found = seen.timings[name]
            assert len(found.wall) == len(found.cpu) == 3 and found.failed is None
            assert all(0 < s < 30 for s in found.wall)
        # two processes do twice the work with twice the CPU time of one of them
        assert seen.timings["twice"].work == 2 * seen.timings["twice"].times * (
            seen.timings["good"].work / seen.timings["good"].times
        )
        assert 0 <= seen.others <= 1


class FakeRoom:
    """Answers at once, and keeps what it was told."""

    def __init__(self, told: list, cpu: float, bare: float | None = None) -> None:
        self.told, self.answer = told, (cpu, bare)

    def send(self, message) -> None:
        self.told.append(message)

    def recv(self):
        if isinstance(self.answer[0], Exception):
            raise self.answer[0]
        return (1, 1.0) if self.told[-1][0] == "prepare" else self.answer


def in_fake_rooms(monkeypatch, rooms: dict, group: Group, repeats: int) -> Measured:
    laboratory = Laboratory()
    monkeypatch.setattr(laboratory, "_room", lambda c, number: rooms[c.name][number])
    monkeypatch.setattr(measure, "PAUSE", 0)
    return laboratory.measure(group, repeats)


def test_cpu_seconds_of_all_processes_count_and_the_rest_is_others(monkeypatch):
    told: list = []
    rooms = {"a": [FakeRoom(told, 3.0, 1.0), FakeRoom(told, 4.0, 2.0)]}
    busy = iter([100.0, 110.0])
    monkeypatch.setattr(measure, "_busy", lambda: next(busy))
    clock = iter([0.0, 50.0])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(measure.time, "process_time", lambda: 0.0)
    monkeypatch.setattr(measure.os, "cpu_count", lambda: 4)
    seen = in_fake_rooms(monkeypatch, rooms, Group("g", (Contender("a", "", processes=2),)), 1)
    # 10 s were busy, 3 + 4 of them ours, of 4 x 50 that there were; the slower process decides
    assert seen.timings["a"].cpu == [7.0] and seen.timings["a"].bare == [2.0]
    assert seen.timings["a"].wall == [50.0] and seen.others == pytest.approx(3 / 200)


def test_each_contender_is_first_in_its_turn(monkeypatch):
    told: list = []
    rooms = {name: [FakeRoom(told, 0.0)] for name in "abc"}
    group = Group("g", tuple(Contender(name, "") for name in "abc"))
    in_fake_rooms(monkeypatch, rooms, group, 3)
    runs = [name for what, name, *_ in told if what == "run"]
    assert "".join(runs) == "abc" + "bca" + "cab"


def test_a_process_that_dies_at_work_costs_its_contender_and_nothing_else(monkeypatch):
    told: list = []
    rooms = {"a": [FakeRoom(told, 1.0)], "b": [FakeRoom(told, 1.0)]}
    group = Group("g", (Contender("a", ""), Contender("b", "")))
    laboratory = Laboratory()
    monkeypatch.setattr(laboratory, "_room", lambda c, number: rooms[c.name][number])

    def tell(text: str) -> None:
        if text == "b, 2 of 3":
            rooms["b"][0].answer = (EOFError(), None)

    seen = laboratory.measure(group, 3, tell)
    assert seen.timings["b"].failed == "its process died" and seen.timings["b"].wall == []
    assert len(seen.timings["a"].wall) == 3


def test_jobs_lost_with_a_process_are_named_and_the_others_go_on():
    options = {**SHAPE, "runs": 1, "n_examples": 40}
    here = Contender("here", "ours.training_step", options)
    other = Contender("other", "peers.plain_loop", {**SHAPE, "n_examples": 40, "loader": True},
                      "torch")  # fmt: skip

    def tell(text: str) -> None:
        if text == "here, 2 of 3":
            process, _ = laboratory._rooms["ours", 1, 0]
            process.kill()
            process.join()

    with Laboratory() as laboratory:
        seen = laboratory.measure(Group("g", (here, other), seconds=0.01), 3, tell)
    assert "KeyError" in seen.timings["here"].failed and not seen.timings["here"].wall
    assert len(seen.timings["other"].wall) == 3


def fake(cores=2, others=0.01) -> dict:
    """Measurements of everything, the more to do the longer."""
    found = {}
    for group in comparisons.groups(cores):
        own = {}
        for i, contender in enumerate(group.contenders):
            seconds = [0.5 + 0.01 * i + 0.001 * r for r in range(5)]
            bare = [0.99 * s for s in seconds] if contender.job == "ours.runner" else []
            own[contender.name] = Timings(1e9, 2, seconds, seconds, bare)
        found[group.name] = asdict(Measured(own, others))
    where = {
        "commit": "0" * 40, "dirty": False, "python": "3.11", "torch": "2", "system": "Linux",
        "cpu": "A | <CPU>", "cpu_capability": "AVX2", "started": "2026-01-01T00:00:00Z",
        "cores": cores, "repeats": 5, "busy_before": 0.01, "load_before": 0.1,
        "packages": {"torch": "2", "keras": "not installed"},
    }  # fmt: skip
    return {"environment": where, "groups": found}


def stored(folder, content: dict) -> None:
    path = folder / report.FOLDER / report.DATA
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_the_report_holds_every_row_and_is_written_alike_each_time(tmp_path, cores):
    stored(tmp_path, fake(cores))
    report.write_report(tmp_path)
    folder = tmp_path / report.FOLDER
    files = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    table = pd.read_csv(folder / "ratios.csv", keep_default_na=False)
    assert list(table) == ["what", "against", "ratio", "low", "high", "target", "met", "idle"]
    assert len(table) == len(comparisons.comparisons(cores)) and set(table["idle"]) == {"yes"}
    readme = (folder / "README.md").read_text()
    aimed = table[table["target"] != ""]
    assert len(aimed) > 8 and set(aimed["met"]) <= {"yes", "no"}
    assert f"{(aimed['met'] == 'yes').sum()} of {len(aimed)} targets met" in readme
    assert "A \\| \\<CPU\\>" in readme and "Not measured" not in readme
    write_all(tmp_path)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == files


def test_a_report_of_a_busy_machine_withholds_verdicts_and_names_what_failed(tmp_path):
    content = fake(others=0.2)
    keras = content["groups"]["step 20 x 100, batch 100"]["timings"]["Keras on JAX"]
    keras.update(wall=[], cpu=[], failed="ModuleNotFoundError: No module named 'keras'")
    stored(tmp_path, content)
    shown = report.write_report(tmp_path)
    readme = (tmp_path / report.FOLDER / "README.md").read_text()
    assert "machine busy" in shown and " yes" not in shown
    assert "0 of" in readme and "without a verdict" in readme
    assert "Keras on JAX: ModuleNotFoundError: No module named 'keras'" in readme


@pytest.mark.parametrize("group", ["rbm", "growth depth", "step 20 x 50, batch 10"])
def test_damaged_measurements_are_named_and_the_report_is_left(tmp_path, group):
    content = fake()
    del content["groups"][group]
    stored(tmp_path, content)
    with pytest.raises(Problem, match=r"measurements.json: cannot be read .*make performance"):
        write_all(tmp_path)
    assert [p.name for p in (tmp_path / report.FOLDER).iterdir()] == ["data"]


def test_exponents_are_those_of_a_power_law():
    x = [1.0, 2.0, 4.0, 8.0]
    assert figures.exponent(x, [3 * v**1.5 for v in x])[0] == pytest.approx(1.5)
    for growth in comparisons.growths(2):
        fitted = [v for v in growth.values if growth.fit_from <= v <= growth.fit_to]
        assert len(fitted) > 1 and (growth.name != "workers" or fitted == [1, 2])


def test_the_command_line_wants_five_repeats_and_names_what_is_missing(capsys, monkeypatch):
    assert main(["performance", "--repeats", "4"]) == 2
    assert "'4' must be a whole number from 5 on" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert main(["performance"]) == 2
    assert "psutil is missing; 'make performance' installs it" in capsys.readouterr().err
