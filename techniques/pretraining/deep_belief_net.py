"""Deep belief net: the model that greedy pretraining was invented for, which can also dream.

Problem  A deep sigmoid net gets next to nothing from its labels (sigma'(z) <= 1/4 a layer). Here
         there is no path down: each layer learns from its neighbours, labels are one more input of
         the top, and the whole is a model of the data, from which examples can be drawn.
Method   Greedy: each layer an RBM of what is below it, the top one of the layer below and a softmax
         group of labels. Up-down: from data, binary states up through recognition, cd_k Gibbs steps
         in the top, down through generative. Every layer learns to predict the states that made
         its input, weight += lr input' (state - prediction), generative ones those on the way up,
         recognition ones those on the way down; the top by contrastive divergence.
         p(label|x): the exact free energy of the top with each label in turn.
Source   Hinton, Osindero, Teh (2006), A fast learning algorithm for deep belief nets, Neural
         Computation 18, 1527-1554, sections 4 to 6 and appendix B; BibTeX hinton2006dbn
Since    2006; displaced by nets that only classify, and as a model by variational autoencoders
Departs  no slot of a recipe: what it gives is no feed-forward network but a model of its own;
         labels by one pass of probabilities, where the paper averages over sampled passes; the
         examples are dealt at random, not balanced by class; no momentum and no weight decay, lr
         is ours
Use      DeepBeliefNet(widths=(500, 500, 2000))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from techniques.activations.sigmoid import sigmoid
from techniques.pretraining.rbm import Machine, hidden_probability, softplus
from techniques.streams import batches, stream, take, uniform_noise


class Map(NamedTuple):
    """One layer of R nets in one direction."""

    weight: Tensor  # (R, n_from, n_to)
    bias: Tensor  # (R, 1, n_to)


class Belief(NamedTuple):
    """Parameters of R deep belief nets."""

    recognition: list[Map]  # from the data up to the visible units of the top
    generative: list[Map]  # the same layers down, in the same order: the first gives the data
    top: Machine  # its visible units are the last layer's, then the labels
    n_classes: int


def probability(h: Tensor, layer: Map) -> Tensor:
    """p(state=1|h) = sigmoid(h weight + bias); (R, B, n_from) -> (R, B, n_to)."""
    return sigmoid(torch.baddbmm(layer.bias, h, layer.weight))


def draw(p: Tensor, uniform: Callable[[Tensor], Tensor]) -> Tensor:
    """Binary states with these probabilities, any shape."""
    return (uniform(p) < p).to(p.dtype)


def one_hot(y: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """Labels (R, B) as states (R, B, K)."""
    return (y.unsqueeze(2) == torch.arange(n_classes, device=y.device)).to(like.dtype)


def visible_given(
    h: Tensor, machine: Machine, n_labels: int, uniform: Callable[[Tensor], Tensor]
) -> Tensor:
    """States of the units and probabilities of the labels of a machine, (R, B, n_visible)."""
    z = torch.baddbmm(machine.visible_bias, h, machine.weight.mT)
    units, labels = z.split([z.shape[2] - n_labels, n_labels], dim=2)
    return torch.cat([draw(sigmoid(units), uniform), labels.softmax(2)], 2)


def contrast(
    v_pos: Tensor,
    machine: Machine,
    *,
    n_labels: int,
    cd_k: int,
    uniform: Callable[[Tensor], Tensor],
) -> tuple[Machine, Tensor]:
    """<v h>_data - <v h>_after k Gibbs steps, of hidden states, and v (R, B, n) after them."""
    h_pos = h_neg = draw(hidden_probability(v_pos, machine), uniform)
    for _ in range(cd_k):
        v_neg = visible_given(h_neg, machine, n_labels, uniform)
        h_neg = draw(hidden_probability(v_neg, machine), uniform)
    gradient = Machine(
        (v_pos.mT @ h_pos).sub_(v_neg.mT @ h_neg).div_(v_pos.shape[1]),
        (v_pos - v_neg).mean(1, keepdim=True),
        (h_pos - h_neg).mean(1, keepdim=True),
    )
    return gradient, v_neg


def predict_(layer: Map, given: Tensor, target: Tensor, lr: float) -> None:
    """Delta rule, in place: weight += lr <given (target - p(target|given))>, and the bias."""
    error = target - probability(given, layer)
    layer.weight.baddbmm_(given.mT, error, alpha=lr / given.shape[1])
    layer.bias.add_(error.mean(1, keepdim=True), alpha=lr)


def up_down(
    net: Belief,
    x: Tensor,
    y: Tensor,
    *,
    lr: float,
    cd_k: int,
    uniform: Callable[[Tensor], Tensor],
) -> None:
    """One update of every net, in place, on x (R, B, D) in [0, 1] and y (R, B)."""
    wake = [x]
    for layer in net.recognition:
        wake.append(draw(probability(wake[-1], layer), uniform))
    v_pos = torch.cat([wake[-1], one_hot(y, net.n_classes, x)], 2)
    chain = {"n_labels": net.n_classes, "cd_k": cd_k, "uniform": uniform}
    gradient, v_neg = contrast(v_pos, net.top, **chain)
    sleep = [v_neg[..., : -net.n_classes]]  # the lowest layer first
    for index in range(len(net.generative) - 1, -1, -1):
        p = probability(sleep[0], net.generative[index])
        sleep.insert(0, draw(p, uniform) if index > 0 else p)
    for index in range(len(net.recognition)):
        predict_(net.generative[index], wake[index + 1], wake[index], lr)
        predict_(net.recognition[index], sleep[index], sleep[index + 1], lr)
    torch._foreach_add_(net.top, gradient, alpha=lr)


def label_log_probability(net: Belief, x: Tensor) -> Tensor:
    """ln p(label|h), h the probabilities that x (R, B, D) gives the last layer; (R, B, K).

    -F(h, label) = visible_bias[label] + sum_j softplus(z_j + weight[label, j]) + what all share.
    """
    for layer in net.recognition:
        x = probability(x, layer)
    n_units, (weight, visible_bias, hidden_bias) = x.shape[2], net.top
    z = torch.baddbmm(hidden_bias, x, weight[:, :n_units])
    of_each = [softplus(z + row.unsqueeze(1)).sum(2) for row in weight[:, n_units:].unbind(1)]
    return (torch.stack(of_each, 2) + visible_bias[..., n_units:]).log_softmax(2)


def sample(net: Belief, y: Tensor, *, n_gibbs: int, uniform: Callable[[Tensor], Tensor]) -> Tensor:
    """p(x) (R, B, D) at the end of a dream of each label y (R, B), which is held fixed.

    n_gibbs steps in the top, from fair coins, then one pass of states down.
    """
    labels = one_hot(y, net.n_classes, net.top.weight)
    n_units = net.top.weight.shape[1] - net.n_classes
    h = draw(net.top.weight.new_full((*y.shape, n_units), 0.5), uniform)
    for _ in range(n_gibbs):
        above = draw(hidden_probability(torch.cat([h, labels], 2), net.top), uniform)
        v = visible_given(above, net.top, net.n_classes, uniform)
        h = v[..., :n_units]
    for index in range(len(net.generative) - 1, -1, -1):
        p = probability(h, net.generative[index])
        h = draw(p, uniform) if index > 0 else p
    return h


@dataclass(frozen=True)
class DeepBeliefNet:
    """Greedy RBMs, then up-down; inputs in [0, 1] are taken as probabilities."""

    widths: tuple[int, ...]  # from the first hidden layer up; the last is the top's
    greedy_epochs: int = 30
    greedy_lr: float = 0.1
    fine_tune_epochs: int = 300
    fine_tune_lr: float = 0.01
    cd_k: tuple[int, ...] = (3, 6, 10)  # Gibbs steps of the top, in equal shares of the epochs
    weight_sd: float = 0.1
    batch_size: int = 100

    def fit(self, x: Tensor, y: Tensor, *, n_classes: int, seeds: Sequence[int]) -> Belief:
        """A net per seed, of examples x (N, D) and labels y (N,)."""
        recognition, generative = [], []
        visible = x.expand(len(seeds), -1, -1)
        for index, n_hidden in enumerate(self.widths[:-1]):
            machine = self._greedy(visible, n_hidden, seeds, index, n_labels=0)
            recognition.append(Map(machine.weight, machine.hidden_bias))
            generative.append(Map(machine.weight.mT.clone(), machine.visible_bias))
            visible = probability(visible, recognition[-1])
        labels = one_hot(y.expand(len(seeds), -1), n_classes, x)
        v = torch.cat([visible, labels], 2)
        top = self._greedy(v, self.widths[-1], seeds, len(recognition), n_labels=n_classes)
        net = Belief(recognition, generative, top, n_classes)
        uniform = uniform_noise(seeds, "dbn:noise:up-down", x.device)
        order = batches(seeds, "dbn:order:up-down", len(x), self.batch_size, x.device)
        for epoch in range(self.fine_tune_epochs):
            cd_k = self.cd_k[epoch * len(self.cd_k) // self.fine_tune_epochs]
            for _ in range(len(x) // self.batch_size):
                index = next(order)
                chain = {"cd_k": cd_k, "uniform": uniform}
                up_down(net, take(x, index), y[index], lr=self.fine_tune_lr, **chain)
        return net

    def _greedy(
        self, visible: Tensor, n_hidden: int, seeds: Sequence[int], index: int, *, n_labels: int
    ) -> Machine:
        """One machine per seed by CD-1 on visible (R, N, n_visible), the labels last."""
        device, (_, n_examples, n_visible) = visible.device, visible.shape
        shape = (n_visible, n_hidden)
        streams = [stream(s, f"dbn:init:{index}") for s in seeds]
        draws = [torch.empty(shape).normal_(0, self.weight_sd, generator=g) for g in streams]
        machine = Machine(
            torch.stack(draws).to(device),
            torch.zeros(len(seeds), 1, n_visible, device=device),
            torch.zeros(len(seeds), 1, n_hidden, device=device),
        )
        uniform = uniform_noise(seeds, f"dbn:noise:{index}", device)
        order = batches(seeds, f"dbn:order:{index}", n_examples, self.batch_size, device)
        for _ in range(self.greedy_epochs * (n_examples // self.batch_size)):
            v_pos = take(visible, next(order))
            gradient, _ = contrast(v_pos, machine, n_labels=n_labels, cd_k=1, uniform=uniform)
            torch._foreach_add_(machine, gradient, alpha=self.greedy_lr)
        return machine
