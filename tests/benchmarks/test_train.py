"""The training loop against one written in plain torch, and what it records of failures."""

import time
from dataclasses import replace

import pytest
import torch

from benchmarks import datasets
from benchmarks.probes import probe
from benchmarks.suite import Budget, Data
from benchmarks.train import evaluate, train_stack
from benchmarks.trial import Trial
from techniques.network import build
from techniques.recipe import RECIPES
from techniques.streams import batches

DATA = Data(name="mnist5k", n_train=500, n_valid=200)
BUDGET = Budget(updates=12, batch_size=50, evaluate_every=4, probe_at=(0, 12))


def trial(technique="plain", **changes) -> Trial:
    usual = Trial(
        technique=technique,
        role="report",
        recipe=RECIPES[technique],
        data=DATA,
        depth=2,
        width=16,
        budget=BUDGET,
        lr=0.3,
        seed=3,
        device="cpu",
    )
    return replace(usual, **changes)


def without_seconds(outcome: dict) -> dict:
    result = {k: v for k, v in outcome["result"].items() if "seconds" not in k}
    return {**outcome, "result": result}


@pytest.mark.parametrize("technique", ["glorot", "tanh", "batch-norm", "residual", "standardised"])
def test_a_trial_equals_a_plain_torch_loop(technique):
    asked = trial(technique, depth=1)
    (outcome,) = train_stack([asked])
    split = datasets.load("mnist5k", 500, 200)
    if technique == "standardised":  # by the training part alone
        x = split.x_train.double()
        sd = x.std(0, correction=0)
        factor = torch.where(x.amax(0) > x.amin(0), 1 / sd, 0)
        parts = {
            name: ((getattr(split, name).double() - x.mean(0)) * factor).float()
            for name in ("x_train", "x_valid", "x_test")
        }
        split = replace(split, **parts)

    net = build(asked.recipe, n_inputs=784, n_classes=10, widths=[16], seeds=[asked.seed]).export(0)
    optimiser = torch.optim.SGD(net.parameters(), lr=asked.lr, momentum=0.9)
    order = batches([asked.seed], "order", 500, 50)
    loss_of = torch.nn.functional.cross_entropy
    best = (201, None, None)
    train_errors, batch_losses = [], []
    for update in range(13):
        if update % 4 == 0:
            net.eval()
            with torch.no_grad():
                wrong = (net(split.x_valid).argmax(1) != split.y_valid).sum().item()
                at = outcome["curves"]["update"].index(update)
                got = outcome["curves"]
                valid_loss = loss_of(net(split.x_valid), split.y_valid).item()
                assert got["valid_loss"][at] == pytest.approx(valid_loss, rel=1e-4)
                assert got["valid_error_pct"][at] == pytest.approx(100 * wrong / 200)
                x, y = split.x_train[:200], split.y_train[:200]
                train_errors.append(100 * (net(x).argmax(1) != y).double().mean().item())
                assert got["train_error_pct"][at] == pytest.approx(train_errors[-1])
                assert got["train_loss"][at] == pytest.approx(loss_of(net(x), y).item(), rel=1e-4)
                if update:
                    assert got["batch_loss"][at] == pytest.approx(sum(batch_losses) / 4, rel=1e-4)
                batch_losses = []
                tested = 100 * (net(split.x_test).argmax(1) != split.y_test).double().mean().item()
            if wrong < best[0]:
                best = (wrong, update, tested)
        if update == 12:
            break
        net.train()
        index = next(order)[0]
        loss = loss_of(net(split.x_train[index]), split.y_train[index])
        batch_losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    result = outcome["result"]
    assert result["best_update"] == best[1]
    assert result["test_error_pct"] == pytest.approx(best[2])
    assert result["test_error_last_pct"] == pytest.approx(tested)
    assert result["valid_error_pct"] == pytest.approx(100 * best[0] / 200)
    assert result["train_error_pct"] == pytest.approx(min(train_errors))
    assert result["trained"] == (min(train_errors) <= 45)
    assert result["chance_error_pct"] == pytest.approx(90)


def test_the_test_error_is_that_of_the_best_validation_point_and_not_of_the_end():
    """At a large rate the error goes down and up again, so the two differ."""
    (outcome,) = train_stack([trial("relu", lr=0.6, depth=3)])
    assert outcome["status"] == "ok"
    curve, result = outcome["curves"]["valid_error_pct"], outcome["result"]
    best = outcome["curves"]["update"][curve.index(min(curve))]
    assert result["best_update"] == best < 12
    cut = Budget(updates=best, batch_size=50, evaluate_every=4, probe_at=(0, best))
    (shorter,) = train_stack([trial("relu", lr=0.6, depth=3, budget=cut)])
    assert shorter["result"]["test_error_last_pct"] == result["test_error_pct"]
    assert result["test_error_pct"] != result["test_error_last_pct"]


def test_of_equal_evaluations_the_earliest_is_the_best_point():
    """A deep plain net names one class throughout, so that all its evaluations are equal."""
    (outcome,) = train_stack([trial("plain", depth=8, lr=0.001)])
    assert len(set(outcome["curves"]["valid_error_pct"])) == 1
    assert outcome["result"]["best_update"] == 0


def test_runs_of_one_stack_do_not_touch_each_other_even_if_one_diverges():
    asked = [trial("relu", lr=lr, seed=s) for s in (0, 1) for lr in (0.1, 1e6)]
    together = train_stack(asked)
    assert [o["status"] for o in together] == ["ok", "diverged"] * 2
    for one, outcome in zip(asked, together, strict=True):
        (alone,) = train_stack([one])
        assert without_seconds(alone) == without_seconds(outcome)


def test_a_diverged_run_counts_as_chance_and_keeps_its_curve():
    (outcome,) = train_stack([trial("relu", lr=1e6)])
    result = outcome["result"]
    assert outcome["status"] == "diverged"
    assert result["test_error_pct"] == result["valid_error_pct"] == 90
    assert result["trained"] is False and result["best_update"] is None
    assert outcome["curves"]["valid_loss"][0] is not None
    assert outcome["curves"]["valid_loss"][-1] is None  # JSON has no NaN


@pytest.mark.parametrize("technique", ["rbm", "autoencoder", "combined"])
def test_pretraining_once_for_several_rates_equals_pretraining_for_each(technique):
    asked = [trial(technique, lr=lr, seed=s) for s in (4, 2) for lr in (0.1, 0.3)]
    together = train_stack(asked)
    for one, outcome in zip(asked, together, strict=True):
        (alone,) = train_stack([one])
        assert without_seconds(alone) == without_seconds(outcome)


def test_errors_are_counted_over_all_chunks_and_nan_is_an_error(monkeypatch):
    monkeypatch.setattr("benchmarks.train.EVALUATED_ROWS", 7)
    network = build(RECIPES["plain"], n_inputs=5, n_classes=3, widths=[4], seeds=[0, 1])
    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(20, 5, generator=g), torch.randint(0, 3, (20,), generator=g)
    loss, wrong = evaluate(network, x, y)
    for run in range(2):
        logits = network.export(run)(x)
        assert wrong[run] == (logits.argmax(1) != y).sum()
        expected = torch.nn.functional.cross_entropy(logits, y)
        torch.testing.assert_close(loss[run], expected.detach())
    with torch.no_grad():
        network.parameters[0]["weight"][1] = torch.nan
    loss, wrong = evaluate(network, x, y)
    assert loss[0].isfinite() and loss[1].isnan() and wrong[1] == 20


@pytest.mark.parametrize("technique", ["plain", "tanh", "batch-norm"])
def test_probes_equal_those_of_the_exported_network(technique):
    network = build(RECIPES[technique], n_inputs=6, n_classes=3, widths=[5] * 3, seeds=[0, 1])
    with torch.no_grad():  # some units are to be saturated
        for layer in network.parameters[:-1]:
            layer["weight"].mul_(6)
    before = [t.detach().clone() for t in network.tensors()]
    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(40, 6, generator=g), torch.randint(0, 3, (40,), generator=g)
    seen = probe(network, x, y)
    assert all(torch.equal(a, b) for a, b in zip(before, network.tensors(), strict=True))
    for run in range(2):
        net = network.export(run).train()
        activations = []
        for module in net:
            if isinstance(module, torch.nn.Sigmoid | torch.nn.Tanh):
                module.register_forward_hook(lambda *args, to=activations: to.append(args[2]))
        torch.nn.functional.cross_entropy(net(x), y).backward()
        linear = [m for m in net if isinstance(m, torch.nn.Linear)][:-1]
        for layer in range(3):
            rms = linear[layer].weight.grad.square().mean().sqrt()
            torch.testing.assert_close(seen.gradient_rms[run, layer], rms, rtol=1e-4, atol=0)
            a = activations[layer]
            torch.testing.assert_close(seen.activation_mean[run, layer], a.mean().detach())
            torch.testing.assert_close(seen.activation_sd[run, layer], a.std().detach())
            outside = a.abs() > 0.9 if technique == "tanh" else (a < 0.05) | (a > 0.95)
            share = outside.double().mean().item()
            assert seen.saturated[run, layer].item() == pytest.approx(share)
    assert 0 < seen.saturated.mean() < 1 or technique == "batch-norm"


def test_the_rms_of_a_vanishing_gradient_is_not_lost_to_underflow():
    from benchmarks.probes import _rms

    tiny = torch.full((1, 3, 4), 3e-30)  # its square is zero in float32
    assert _rms(tiny).item() == pytest.approx(3e-30, rel=1e-5)
    assert _rms(torch.zeros(1, 3, 4)).item() == 0


def test_a_run_has_trained_at_half_of_the_chance_error_and_not_above():
    from benchmarks.train import _result

    split = datasets.load("mnist5k", 500, 200)
    for train_error, trained in [(45.0, True), (45.2, False)]:
        curves = {"train_error_pct": [90.0, train_error], "valid_error_pct": [90.0, 50.0]}
        assert _result(curves, (1, 2), True, 4, 0.9, split)["trained"] is trained


def test_the_runs_of_a_stack_share_its_seconds():
    started = time.perf_counter()
    outcomes = train_stack([trial("rbm", seed=s) for s in range(8)])
    wall = time.perf_counter() - started
    for name in ("seconds_train", "seconds_pretrain", "cpu_seconds"):
        assert 0 < sum(o["result"][name] for o in outcomes) <= wall
    assert train_stack([trial()])[0]["result"]["seconds_pretrain"] == 0


def test_a_key_holds_everything_that_decides_the_numbers_and_nothing_else(monkeypatch):
    base = trial("rbm")
    same = [replace(base, technique="another name"), replace(base, role="tune"), trial("rbm")]
    assert {t.key for t in same} == {base.key}
    recipe = base.recipe
    others = [
        replace(base, lr=0.30001),
        replace(base, seed=4),
        replace(base, depth=3),
        replace(base, width=17),
        replace(base, device="cuda"),
        replace(base, data=Data(name="mnist5k", n_train=510, n_valid=200)),
        replace(base, data=Data(name="mnist", n_train=500, n_valid=200)),
        *(
            replace(base, budget=BUDGET.model_copy(update={field: value}))
            for field, value in [
                ("updates", 13), ("batch_size", 51), ("evaluate_every", 3), ("probe_at", (0,))
            ]
        ),
        trial("plain"),
        replace(base, recipe=recipe.but(pretraining=replace(recipe.pretraining, cd_k=2))),
        replace(base, recipe=recipe.but(optimisation=replace(recipe.optimisation, momentum=0.8))),
    ]  # fmt: skip
    assert len({t.key for t in others} | {base.key}) == len(others) + 1
    monkeypatch.setattr("benchmarks.trial.REVISIONS", {"Rbm": 2})
    assert trial("rbm").key != base.key and trial("plain").key == others[-3].key
    monkeypatch.setattr("benchmarks.trial.PROTOCOL", 1)
    assert trial("plain").key != others[-3].key


def test_a_key_is_what_it_was_when_this_protocol_began():
    """A change here voids every stored trial: it must be meant."""
    assert trial("plain").key == "1b80c428813767b685b34b5e21c5e68f"
