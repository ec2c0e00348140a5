"""A deep belief net small enough to list its states, and one that learns bars and stripes."""

import itertools

import numpy as np
import pytest
import torch

from techniques.pretraining.deep_belief_net import (
    Belief,
    DeepBeliefNet,
    Map,
    contrast,
    draw,
    label_log_probability,
    probability,
    sample,
    up_down,
    visible_given,
)
from techniques.pretraining.rbm import Machine
from techniques.streams import batches, stream, take, uniform_noise

sigma = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731


def random_net(runs: int, widths: list[int], n_classes: int, n_top: int) -> Belief:
    """Layers of these widths, the data's first, and a top on the last; all in float64."""
    g = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    pairs = list(itertools.pairwise(widths))
    n_visible = widths[-1] + n_classes
    return Belief(
        [Map(normal(runs, a, b), normal(runs, 1, b)) for a, b in pairs],
        [Map(normal(runs, b, a), normal(runs, 1, a)) for a, b in pairs],
        Machine(normal(runs, n_visible, n_top), normal(runs, 1, n_visible), normal(runs, 1, n_top)),
        n_classes,
    )


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def parts(net: Belief) -> list[torch.Tensor]:
    return [t for layer in (*net.recognition, *net.generative, net.top) for t in layer]


@pytest.mark.parametrize("widths", [[4, 3], [5, 4, 3]])
def test_the_label_probability_is_that_of_the_enumerated_top(widths):
    """p(label | h) = sum_top exp(-energy) over the sum over labels too; 2^4 top states."""
    net = random_net(2, widths, n_classes=3, n_top=4)
    x = torch.rand(2, 6, widths[0], generator=torch.Generator().manual_seed(3)).double()
    got = label_log_probability(net, x)
    for run, example in itertools.product(range(2), range(6)):
        h = x[run, example].numpy()
        for weight, bias in net.recognition:
            h = sigma(h @ weight[run].numpy() + bias[run, 0].numpy())
        w, b, c = (p[run].numpy() for p in net.top)
        score = np.zeros(3)
        for label, top in itertools.product(range(3), states(4).numpy()):
            v = np.concatenate([h, np.eye(3)[label]])
            score[label] += np.exp(v @ w @ top + v @ b[0] + top @ c[0])
        np.testing.assert_allclose(got[run, example].exp().numpy(), score / score.sum(), rtol=1e-10)


def test_given_the_top_units_are_independent_and_labels_a_softmax():
    """Of the enumerated joint of 2 units and 3 labels, of which exactly one is on."""
    net = random_net(1, [5, 2], n_classes=3, n_top=3)
    w, b, _ = (p[0] for p in net.top)
    top = states(3)
    pairs = [torch.cat([u, e]) for u in states(2) for e in torch.eye(3).double()]
    v = torch.stack(pairs)  # the 4 x 3 states of the visible side
    p = (v @ w @ top.T + (v @ b.T)).softmax(0)
    expected = p.T @ v  # (8, 5)
    n = 20_000
    many = top.repeat_interleave(n, 0)[None]
    got = visible_given(many, net.top, 3, uniform_noise([4], "test"))[0].view(8, n, 5)
    assert ((got[..., :2] == 0) | (got[..., :2] == 1)).all()
    # binary: a standard error of at most 0.5 / sqrt(n)
    assert (got[..., :2].mean(1) - expected[:, :2]).abs().max() < 4 * 0.5 / n**0.5
    torch.testing.assert_close(got[:, 0, 2:], expected[:, 2:])  # labels: probabilities


@pytest.mark.parametrize("widths, cd_k", [([4, 3], 1), ([5, 4, 3], 2), ([6, 5, 4, 3], 1)])
def test_one_up_down_update_is_the_papers_appendix_b_in_numpy(widths, cd_k):
    net = random_net(2, widths, n_classes=2, n_top=4)
    g = torch.Generator().manual_seed(5)
    x = torch.rand(2, 7, widths[0], generator=g).double()
    y = torch.randint(0, 2, (2, 7), generator=g)
    before = [t.clone() for t in parts(net)]
    shapes = [(7, n) for n in widths[1:]] + [(7, 4)]
    shapes += [(7, widths[-1]), (7, 4)] * cd_k + [(7, n) for n in widths[-2:0:-1]]
    noise = [torch.rand(2, *s, generator=g, dtype=torch.float64) for s in shapes]

    expected = []
    n_layers = len(widths) - 1
    for run in range(2):
        given = iter(noise)
        on = lambda p: (next(given)[run].numpy() < p).astype(float)  # noqa: B023, E731
        rec = [[p[run].numpy().copy() for p in layer] for layer in net.recognition]
        gen = [[p[run].numpy().copy() for p in layer] for layer in net.generative]
        w, b, c = (p[run].numpy().copy() for p in net.top)
        n_units = widths[-1]
        pentop, labtop = w[:n_units], w[n_units:]
        targets = np.eye(2)[y[run].numpy()]
        wake = [x[run].numpy()]
        for weight, bias in rec:
            wake.append(on(sigma(wake[-1] @ weight + bias)))
        pos_top = on(sigma(wake[-1] @ pentop + targets @ labtop + c))
        neg_top = pos_top
        for _ in range(cd_k):
            neg_pen = on(sigma(neg_top @ pentop.T + b[:, :n_units]))
            z = np.exp(neg_top @ labtop.T + b[:, n_units:])
            neg_lab = z / z.sum(1, keepdims=True)
            neg_top = on(sigma(neg_pen @ pentop + neg_lab @ labtop + c))
        sleep = {n_layers: neg_pen}
        for level in range(n_layers - 1, -1, -1):
            p = sigma(sleep[level + 1] @ gen[level][0] + gen[level][1])
            sleep[level] = on(p) if level > 0 else p
        lr = 0.3 / 7
        new_gen, new_rec = [], []
        for level in range(n_layers):
            wrong = wake[level] - sigma(wake[level + 1] @ gen[level][0] + gen[level][1])
            new_gen += [gen[level][0] + lr * wake[level + 1].T @ wrong]
            new_gen += [gen[level][1] + lr * wrong.sum(0)]
            wrong = sleep[level + 1] - sigma(sleep[level] @ rec[level][0] + rec[level][1])
            new_rec += [rec[level][0] + lr * sleep[level].T @ wrong]
            new_rec += [rec[level][1] + lr * wrong.sum(0)]
        pentop = pentop + lr * (wake[-1].T @ pos_top - neg_pen.T @ neg_top)
        labtop = labtop + lr * (targets.T @ pos_top - neg_lab.T @ neg_top)
        pen_bias = b[0, :n_units] + lr * (wake[-1] - neg_pen).sum(0)
        lab_bias = b[0, n_units:] + lr * (targets - neg_lab).sum(0)
        new_top = [np.vstack([pentop, labtop]), np.concatenate([pen_bias, lab_bias])[None]]
        new_top += [c + lr * (pos_top - neg_top).sum(0)]
        expected.append([*new_rec, *new_gen, *new_top])

    given = iter(noise)
    up_down(net, x, y, lr=0.3, cd_k=cd_k, uniform=lambda like: next(given))
    assert next(given, None) is None
    for index, tensor in enumerate(parts(net)):
        for run in range(2):
            np.testing.assert_allclose(tensor[run].numpy(), expected[run][index], atol=1e-13)
        assert not torch.equal(tensor, before[index])


def test_a_dream_follows_the_distribution_of_the_enumerated_net():
    """p(x | label) by listing all states of top, last layer and data, against many dreams."""
    net = random_net(1, [3, 2], n_classes=2, n_top=3)
    w, b, c = (p[0] for p in net.top)
    label, n = 1, 40_000
    h, top = states(2), states(3)
    v = torch.cat([h, torch.eye(2).double()[label].expand(4, -1)], 1)
    p_h = ((v @ w @ top.T + v @ b.T) + (top @ c.T).T).exp().sum(1)
    p_h /= p_h.sum()
    weight, bias = (p[0] for p in net.generative[0])
    expected = p_h @ torch.sigmoid(h @ weight + bias)  # the mean of p(x) over the dreams
    y = torch.full((1, n), label)
    got = sample(net, y, n_gibbs=30, uniform=uniform_noise([6], "test"))
    assert got.shape == (1, n, 3)
    # a mean of n terms in [0, 1], each with a standard deviation of at most 1/2
    assert (got[0].mean(0) - expected).abs().max() < 4 * 0.5 / n**0.5


def test_a_dream_of_a_deep_net_passes_states_and_ends_in_probabilities():
    net = random_net(1, [5, 4, 3], n_classes=2, n_top=4)
    seen = []
    noise = uniform_noise([6], "test")

    def uniform(like):
        seen.append(like.shape[2])
        return noise(like)

    got = sample(net, torch.zeros(1, 10, dtype=torch.int64), n_gibbs=2, uniform=uniform)
    assert seen == [3, 4, 3, 4, 3, 4]  # coins, twice the top and back, one layer on the way down
    levels = [probability(h[None, None], net.generative[0]) for h in states(4)]
    distance = torch.stack([(got[0] - p[0]).abs().amax(1) for p in levels]).amin(0)
    assert distance.max() < 1e-12  # each is what one of the 16 states of the layer above gives


def test_fit_is_greedy_layers_of_sampled_cd_1_and_unties_them():
    """Without fine-tuning: the machines written out, each on the probabilities of the one below."""
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(8) % 2
    dbn = DeepBeliefNet(
        widths=(5, 4, 3), greedy_epochs=2, greedy_lr=0.2, fine_tune_epochs=0, batch_size=4
    )
    net = dbn.fit(x, y, n_classes=2, seeds=[3])
    visible = x[None]
    for level, n_hidden in enumerate([5, 4, 3]):
        n_labels = 2 if level == 2 else 0
        if level == 2:
            visible = torch.cat([visible, torch.eye(2)[y][None]], 2)
        n_visible = visible.shape[2]
        w = torch.empty(n_visible, n_hidden)
        w.normal_(0, 0.1, generator=stream(3, f"dbn:init:{level}"))
        machine = Machine(w[None], torch.zeros(1, 1, n_visible), torch.zeros(1, 1, n_hidden))
        order = batches([3], f"dbn:order:{level}", 8, 4)
        noise = uniform_noise([3], f"dbn:noise:{level}")
        for _ in range(4):
            v = take(visible, next(order))
            p = torch.sigmoid(v @ machine.weight + machine.hidden_bias)
            h = (noise(p) < p).float()
            z = h @ machine.weight.mT + machine.visible_bias
            units, labels = z[..., : n_visible - n_labels], z[..., n_visible - n_labels :]
            back = (noise(units.contiguous()) < torch.sigmoid(units)).float()
            v_neg = torch.cat([back, torch.softmax(labels, 2)], 2)
            p = torch.sigmoid(v_neg @ machine.weight + machine.hidden_bias)
            h_neg = (noise(p) < p).float()
            machine = Machine(
                machine.weight + 0.2 * (v.mT @ h - v_neg.mT @ h_neg) / 4,
                machine.visible_bias + 0.2 * (v - v_neg).mean(1, keepdim=True),
                machine.hidden_bias + 0.2 * (h - h_neg).mean(1, keepdim=True),
            )
        if level == 2:
            got = net.top
        else:
            up, down = net.recognition[level], net.generative[level]
            assert torch.equal(up.weight, down.weight.mT)
            assert up.weight.data_ptr() != down.weight.data_ptr()
            got = Machine(up.weight, down.bias, up.bias)
            visible = torch.sigmoid(visible @ machine.weight + machine.hidden_bias)
        for ours, expected in zip(got, machine, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def test_the_steps_in_the_top_grow_in_equal_shares_of_the_epochs(monkeypatch):
    used = []
    module = __import__("techniques.pretraining.deep_belief_net", fromlist=["up_down"])
    monkeypatch.setattr(module, "up_down", lambda *a, cd_k, **options: used.append(cd_k))
    x, y = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 2
    dbn = DeepBeliefNet(widths=(3, 2), greedy_epochs=1, fine_tune_epochs=6, batch_size=3)
    dbn.fit(x, y, n_classes=2, seeds=[0])
    assert used == [3] * 4 + [6] * 4 + [10] * 4  # two updates an epoch


def test_a_stack_of_nets_equals_its_runs_one_by_one():
    x, y = torch.rand(9, 5, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    dbn = DeepBeliefNet(widths=(7, 5, 3), greedy_epochs=2, fine_tune_epochs=3, batch_size=3)
    stack = dbn.fit(x, y, n_classes=3, seeds=[4, 9])
    dreams = sample(stack, y.expand(2, -1), n_gibbs=3, uniform=uniform_noise([1, 2], "dream"))
    scores = label_log_probability(stack, x.expand(2, -1, -1))
    for run, seed in enumerate([4, 9]):
        single = dbn.fit(x, y, n_classes=3, seeds=[seed])
        for own, of_stack in zip(parts(single), parts(stack), strict=True):
            assert torch.equal(own[0], of_stack[run])
        own = sample(single, y[None], n_gibbs=3, uniform=uniform_noise([1 + run], "dream"))
        assert torch.equal(own[0], dreams[run])
        assert torch.equal(label_log_probability(single, x[None])[0], scores[run])


def test_one_step_of_the_top_has_the_mean_of_its_definition():
    """With one step from v_pos, <v h>_data is v_pos' p(h|v_pos); a sample's error is known."""
    machine = random_net(1, [4, 2], n_classes=2, n_top=3).top
    v = torch.tensor([1.0, 0.0, 0.0, 1.0]).double()
    n = 40_000
    gradient, v_neg = contrast(
        v.expand(1, n, 4), machine, n_labels=2, cd_k=1, uniform=uniform_noise([2], "test")
    )
    w, b, c = (p[0] for p in machine)
    top = states(3)
    p_on = torch.sigmoid(v @ w + c[0])
    p_top = (top * p_on + (1 - top) * (1 - p_on)).prod(1)  # (8,)
    back = top @ w.T + b
    units = torch.sigmoid(back[:, :2]).T @ p_top
    labels = back[:, 2:].softmax(1).T @ p_top
    expected = v - torch.cat([units, labels])
    assert (gradient.visible_bias[0, 0] - expected).abs().max() < 4 * 0.5 / n**0.5
    assert v_neg.shape == (1, n, 4)


def bars_and_stripes() -> tuple[torch.Tensor, torch.Tensor]:
    """The 28 patterns of 4 x 4 that are either stripes (0, rows alike) or bars (1)."""
    lines = states(4)[1:-1].float()
    stripes = lines[:, :, None].expand(-1, 4, 4).flatten(1)
    bars = lines[:, None, :].expand(-1, 4, 4).flatten(1)
    return torch.cat([stripes, bars]), torch.arange(28) // 14


def test_it_learns_to_tell_bars_from_stripes_and_dreams_of_both():
    """A dream is right if it is one of its label's 14 patterns: by chance 14 times in 65,536."""
    x, y = bars_and_stripes()
    dbn = DeepBeliefNet(
        widths=(30, 60),
        greedy_epochs=600,
        fine_tune_epochs=1000,
        fine_tune_lr=0.1,
        cd_k=(3, 5),
        batch_size=14,
    )
    net = dbn.fit(x, y, n_classes=2, seeds=[0])
    assert torch.equal(label_log_probability(net, x[None]).argmax(2)[0], y)

    labels = (torch.arange(400) % 2)[None]
    uniform = uniform_noise([0], "test")
    dreams = draw(sample(net, labels, n_gibbs=200, uniform=uniform), uniform)[0]
    patterns = [{tuple(row.tolist()) for row in x[y == label]} for label in (0, 1)]
    seen = [tuple(row.tolist()) for row in dreams]
    right = [s in patterns[label] for s, label in zip(seen, labels[0].tolist(), strict=True)]
    assert sum(right) > 200  # of 400; 0.09 by chance; seeds 0 to 4 gave 276 to 336
    assert len({s for s, is_right in zip(seen, right, strict=True) if is_right}) >= 18  # of 28
