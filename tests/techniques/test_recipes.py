"""One list, all properties: whatever is in the catalogue must pass everything here."""

import ast
import importlib
import inspect
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks.train import evaluate
from techniques.backpropagation import fastest_step, step
from techniques.network import build
from techniques.pretraining.greedy import greedy
from techniques.pretraining.rbm import Rbm
from techniques.recipe import BASELINE, RECIPES, Recipe
from techniques.streams import batches, stream, take, uniform_noise


def shortened(pretraining: object) -> object:
    """Two epochs of small batches, all else as it is."""
    return replace(pretraining, epochs=2, batch_size=20)


# small enough for a test: everything else about a recipe stays as it is
SMALL = {
    name: recipe
    if not hasattr(recipe.pretraining, "epochs")
    else recipe.but(pretraining=shortened(recipe.pretraining))
    for name, recipe in RECIPES.items()
}
# beyond the catalogue: options that no recipe uses
SMALL["rbm, CD-2, binary"] = BASELINE.but(
    pretraining=Rbm(epochs=1, batch_size=20, cd_k=2, sample_visible=True)
)
SMALL["autoencoder, untied"] = SMALL["autoencoder"].but(
    pretraining=replace(SMALL["autoencoder"].pretraining, tied_weights=False)
)


def readable_step(recipe: Recipe):
    """``step``; of methods that need more than one gradient there is no other form."""
    return fastest_step(recipe) if hasattr(recipe.optimisation, "update") else step


either_step = pytest.mark.parametrize(
    "choose_step", [fastest_step, readable_step], ids=["fastest", "readable"]
)
every_recipe = pytest.mark.parametrize("recipe", SMALL.values(), ids=SMALL.keys())


def blobs(n: int = 60, n_inputs: int = 13) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes around corners of the unit cube."""
    g = torch.Generator().manual_seed(2)
    y = torch.arange(n) % 3
    centre = (torch.rand(3, n_inputs, generator=g) > 0.5).float()
    x = (centre[y] + 0.2 * torch.randn(n, n_inputs, generator=g)).clamp(0, 1)
    return x, y


def started(recipe: Recipe, seeds, *, depth=4, width=7):
    """A stack on the verge of training, as benchmarks/train.py makes it: built and pretrained."""
    x, y = blobs()
    network = build(recipe, n_inputs=13, n_classes=3, widths=[width] * depth, seeds=seeds)
    if recipe.pretraining is not None:
        greedy(network, x, seeds, y=y)
    if recipe.noisy:
        network.uniform = uniform_noise(seeds, "noise")
    return network


def trained(
    recipe: Recipe,
    seeds,
    lrs,
    *,
    depth=4,
    width=7,
    batch_size=11,
    updates=6,
    choose_step=fastest_step,
):
    """Build, pretrain and train a stack, as benchmarks/train.py does; network and losses."""
    x, y = blobs()
    network = started(recipe, seeds, depth=depth, width=width)
    state = recipe.optimisation.start(network.trainable())
    lr = torch.tensor(lrs).view(-1, 1, 1)
    order = batches(seeds, "order", len(x), batch_size)
    losses = []
    for _ in range(updates):
        index = next(order)
        losses.append(choose_step(recipe)(network, take(x, index), take(y, index), state, lr))
    return network, torch.stack(losses, 1)


@pytest.mark.parametrize("width, batch_size", [(7, 11), (16, 20), (33, 17), (5, 1 + 2)])
@either_step
@every_recipe
def test_a_stack_equals_its_runs_one_by_one_bit_for_bit(recipe, choose_step, width, batch_size):
    """Odd shapes on purpose: there, vectorised functions treat a tensor's end differently."""
    x, y = blobs()
    seeds, lrs = [3, 8, 3, 5, 1], [0.1, 0.3, 0.02, 0.1, 0.2]
    shape = {"width": width, "batch_size": batch_size, "choose_step": choose_step}
    stack, losses = trained(recipe, seeds, lrs, **shape)
    logits, (loss, wrong) = stack(x), evaluate(stack, x, y)
    for run, (seed, lr) in enumerate(zip(seeds, lrs, strict=True)):
        single, own_losses = trained(recipe, [seed], [lr], **shape)
        assert torch.equal(own_losses[0], losses[run])
        for ours, theirs in zip(single.tensors(), stack.tensors(), strict=True):
            assert torch.equal(ours[0], theirs[run])
        assert torch.equal(single(x)[0], logits[run])
        own_loss, own_wrong = evaluate(single, x, y)
        assert own_loss[0] == loss[run] and own_wrong[0] == wrong[run]


# links begin above the first layer: at depth 4 there is a block of every kind
LEARNS = {name: (recipe, 1) for name, recipe in SMALL.items()}
LEARNS |= {
    f"{name}, depth 4": (recipe, 4)
    for name, recipe in SMALL.items()
    if recipe.connection is not None
}


@pytest.mark.parametrize("recipe, depth", LEARNS.values(), ids=LEARNS.keys())
def test_training_lowers_the_loss(recipe, depth):
    """At depth 1, where nothing vanishes, any recipe must learn three blobs at one rate of two;
    with links, or a classifier on every layer, at depth 4 too.
    """
    x, y = blobs()
    network, _ = trained(recipe, [0, 0], [0.1, 1.0], depth=depth, batch_size=20, updates=150)
    loss, wrong = evaluate(network, x, y)
    assert ((loss < 0.2) & (wrong <= 3)).any()


@every_recipe
def test_gradients_are_finite_through_fifty_layers(recipe):
    """At the start, after pretraining: they may vanish or explode, but not to NaN or infinity."""
    x, y = blobs()
    network = started(recipe, [0, 1], depth=50, width=16)
    loss = network.loss(x.expand(2, -1, -1), y.expand(2, -1))
    assert loss.isfinite().all()
    for gradient in torch.autograd.grad(loss.sum(), network.trainable()):
        assert gradient.isfinite().all()


@every_recipe
def test_one_run_exports_to_a_sequential_of_the_same_function(recipe, tmp_path):
    x, _ = blobs()
    network, _ = trained(recipe, [0, 1, 2], [0.1, 0.1, 0.1], depth=6)
    for run in range(3):
        exported = network.export(run)
        assert type(exported) is torch.nn.Sequential
        torch.testing.assert_close(exported(x), network(x)[run].detach(), rtol=1e-5, atol=1e-5)
    torch.save(exported.state_dict(), tmp_path / "run.pt")
    fresh = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 6, seeds=[9]).export(0)
    assert not torch.equal(fresh(x), exported(x))
    fresh.load_state_dict(torch.load(tmp_path / "run.pt", weights_only=True))
    assert torch.equal(fresh(x), exported(x))


@every_recipe
def test_an_export_is_a_copy(recipe):
    network, _ = trained(recipe, [0], [0.1])
    before = [t.clone() for t in network.tensors()]
    for p in network.export(0).parameters():
        p.data.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(before, network.tensors(), strict=True))


@every_recipe
def test_gradients_are_right_in_float64(recipe):
    network = build(recipe, n_inputs=5, n_classes=3, widths=[4] * 3, seeds=[1, 2])
    network = network.to(torch.float64)
    g = torch.Generator().manual_seed(4)
    x = torch.rand(2, 6, 5, generator=g, dtype=torch.float64)
    y = torch.randint(0, 3, (2, 6), generator=g)
    for t in network.trainable():  # away from zeros that a recipe starts with, where kinks may be
        t.data += 0.05 * torch.randn(t.shape, generator=g, dtype=torch.float64)
    fixed = torch.rand(2, 6, 5, generator=g, dtype=torch.float64)
    if recipe.noisy:  # the same units are dropped whenever the loss is asked for
        network.uniform = lambda like: fixed[:, : like.shape[1], : like.shape[2]]

    def loss(*_):
        return network.loss(x, y)

    assert torch.autograd.gradcheck(loss, network.trainable(), atol=1e-6)


@either_step
@every_recipe
def test_a_step_runs_on_the_meta_device(recipe, choose_step):
    """There every tensor must be: one made on the CPU by mistake raises."""
    network = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 3, seeds=[0, 1]).to("meta")
    state = recipe.optimisation.start(network.trainable())
    x = torch.empty(60, 13, device="meta")
    y = torch.empty(60, dtype=torch.int64, device="meta")
    index = torch.empty(2, 11, dtype=torch.int64, device="meta")
    if recipe.noisy:
        network.uniform = torch.empty_like
    lr = torch.empty(2, 1, 1, device="meta")
    loss = choose_step(recipe)(network, take(x, index), take(y, index), state, lr)
    assert loss.device.type == "meta" and loss.shape == (2,)
    assert network(x).shape == (2, 60, 3)


@every_recipe
def test_the_same_seed_gives_the_same_bits_and_another_does_not(recipe):
    first, second, other = (trained(recipe, [s], [0.1])[0].tensors() for s in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


@every_recipe
def test_inputs_are_not_changed(recipe):
    x, y = blobs()
    kept = x.clone()
    trained_on = build(recipe, n_inputs=13, n_classes=3, widths=[7] * 2, seeds=[0])
    if recipe.pretraining is not None:
        greedy(trained_on, x, [0], y=y)
    trained_on(x, training=True)
    assert torch.equal(x, kept)


@every_recipe
def test_a_layer_starts_alike_at_every_depth(recipe):
    x, y = blobs()
    shallow, deep = (
        build(recipe, n_inputs=13, n_classes=3, widths=[7] * d, seeds=[6]) for d in (2, 5)
    )
    if recipe.pretraining is not None:
        greedy(shallow, x, [6], y=y)
        greedy(deep, x, [6], y=y)
    if hasattr(recipe.connection, "initialise"):
        return  # Fixup's weights are scaled by the depth, by definition
    for own, other in zip(shallow.parameters[:2], deep.parameters[:2], strict=True):
        assert all(torch.equal(own[name], other[name]) for name in own)
    top, other = shallow.parameters[-1], deep.parameters[-1]
    if not hasattr(recipe.connection, "fans_in"):  # dense links give the classifier more to see
        assert torch.equal(top["weight"], other["weight"])


@every_recipe
def test_the_trace_is_what_the_layers_computed(recipe):
    x, _ = blobs()
    network, _ = trained(recipe, [0, 1], [0.1, 0.1])
    trace = network.trace(x)
    assert len(trace.layers) == network.depth == 4
    below = x.expand(2, -1, -1)
    for index, layer in enumerate(trace.layers):
        assert layer.output.shape[:2] == (2, 60) and layer.output.isfinite().all()
        if recipe.connection is None:  # the others are held to a network of torch's by their tests
            z = below @ network.weight(index) + network.parameters[index]["bias"]
            z = network.normalise(index, z)
            torch.testing.assert_close(layer.pre_activation, z)
            assert torch.equal(layer.activation, network.activate(index, layer.pre_activation))
            assert torch.equal(layer.output, layer.activation)
        below = layer.output
    assert torch.equal(trace.logits, network(x))


TECHNIQUES = sorted(
    {type(t) for r in RECIPES.values() for t in r.techniques()},
    key=lambda t: t.__name__,
)
HEADINGS = ["Problem", "Method", "Source", "Since", "Departs", "Use"]


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_techniques_module_explains_it_under_the_six_headings(technique):
    text = inspect.getmodule(technique).__doc__
    assert ": " in text.splitlines()[0]
    found = [line.split()[0] for line in text.splitlines() if line[:1].strip() and "  " in line]
    assert found == HEADINGS
    use = text.split("\nUse ")[1].strip()
    module = importlib.import_module("techniques.recipe")
    assert isinstance(eval(use, vars(module)), Recipe)


def test_techniques_know_nothing_of_the_benchmarks():
    from pathlib import Path

    import techniques

    allowed = {"techniques", "torch", "numpy"}
    standard = sys.stdlib_module_names
    for path in Path(techniques.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in allowed | standard, f"{path} imports {name}"


def test_random_streams_are_found_by_name_and_differ_by_seed_and_purpose():
    draws = {
        (seed, purpose): torch.rand(4, generator=stream(seed, purpose))
        for seed in (0, 1)
        for purpose in ("init:0", "init:1", "order")
    }
    values = list(draws.values())
    assert all(not torch.equal(a, b) for i, a in enumerate(values) for b in values[i + 1 :])
    assert torch.equal(draws[0, "order"], torch.rand(4, generator=stream(0, "order")))


def test_an_epoch_of_batches_shows_every_example_once():
    order = batches([1, 2], "order", 12, 4)
    for _ in range(2):
        epoch = torch.cat([next(order) for _ in range(3)], dim=1)
        assert torch.equal(epoch.sort(1).values, torch.arange(12).expand(2, -1))
        assert not torch.equal(epoch[0], epoch[1])
    with pytest.raises(ValueError, match=r"batch_size must lie in \[1, 12\], got 13"):
        batches([1], "order", 12, 13)


def test_rows_are_taken_from_shared_examples_and_from_each_runs_own():
    x = torch.arange(24.0).view(2, 4, 3)
    index = torch.tensor([[3, 0], [1, 1]])
    assert torch.equal(take(x[0], index), torch.stack([x[0, [3, 0]], x[0, [1, 1]]]))
    assert torch.equal(take(x, index), torch.stack([x[0, [3, 0]], x[1, [1, 1]]]))
