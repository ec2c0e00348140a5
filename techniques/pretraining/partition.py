"""Partition function: what an RBM's likelihood lacks, exactly if it is small, else by annealing.

Problem  log p(v) = -F(v) - ln Z, and Z sums over all states: without it nobody can say whether
         one pretrained layer models its input better than another; the reconstruction error that
         is read in its place can fall while the likelihood does.
Method   Exact: ln Z = ln sum_v exp(-F(v)), or the same over h, whichever has fewer units.
         Annealed importance sampling: from a base machine of independent units to the machine by
         p_beta(v) = exp((1 - beta) base_bias.v + beta visible_bias.v)
         prod_j (1 + exp(beta z_j(v))), z = v weight + hidden_bias; each chain collects
         log w = sum_t ln p_(beta t+1)(v_t) - ln p_(beta t)(v_t), and takes a Gibbs step at every
         beta; Z is estimated by Z_base times the mean of w.
Source   Salakhutdinov and Murray (2008), On the quantitative analysis of deep belief networks,
         ICML, 872-879; BibTeX salakhutdinov2008ais. The method: Neal (2001),
         Annealed importance sampling, Statistics and Computing 11, 125-139;
         BibTeX neal2001ais
Since    2008; still how a model without a tractable likelihood is measured
Departs  nothing; the base machine has the same hidden units, with weights of 0, so that its Z is
         2^n_hidden prod (1 + exp(base_bias)). All in float64
Use      log_likelihood(v, machine, log_partition(machine))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from techniques.activations.sigmoid import sigmoid
from techniques.pretraining.rbm import Machine, softplus

_ROWS = 2**14  # states at once: bounds memory
_MOST_UNITS = 25  # 2^25 states take a minute


class Estimate(NamedTuple):
    """What annealing says of ln Z, in nats per run (R,)."""

    log_partition: Tensor
    standard_error: Tensor  # by the delta method: sd(w / mean(w)) / sqrt(n_chains)


def minus_free_energy(v: Tensor, machine: Machine) -> Tensor:
    """ln sum_h exp(-energy(v, h)), in nats and float64; (R, B, n_visible) -> (R, B)."""
    machine = Machine(*(p.double() for p in machine))
    v = v.double()
    z = torch.baddbmm(machine.hidden_bias, v, machine.weight)
    return (v @ machine.visible_bias.mT).squeeze(2) + softplus(z).sum(2)


def log_partition(machine: Machine) -> Tensor:
    """ln Z, in nats per run (R,), by listing all states of the smaller side.

    Raises ValueError where that side has more than 25 units.
    """
    if machine.weight.shape[1] > machine.weight.shape[2]:  # the same machine upside down
        machine = Machine(machine.weight.mT, machine.hidden_bias, machine.visible_bias)
    runs, n, _ = machine.weight.shape
    if n > _MOST_UNITS:
        raise ValueError(f"the smaller side must have {_MOST_UNITS} units or fewer, got {n}")
    numbers = torch.arange(2**n, device=machine.weight.device)
    digits = torch.arange(n, device=machine.weight.device)
    parts = [
        minus_free_energy(((rows.unsqueeze(1) >> digits) & 1).expand(runs, -1, -1), machine)
        for rows in numbers.split(_ROWS)
    ]
    return torch.stack([part.logsumexp(1) for part in parts], 1).logsumexp(1)


def log_likelihood(v: Tensor, machine: Machine, log_z: Tensor) -> Tensor:
    """log p(v), in nats; v (R, B, n_visible) binary, log_z (R,) -> (R, B)."""
    return minus_free_energy(v, machine) - log_z.unsqueeze(1)


def base_rates(v: Tensor) -> Tensor:
    """Visible biases of the independent units that are on as often as in v; (R, B, n) -> (R, 1, n).

    One example with every unit half on is added, so that no bias is infinite.
    """
    on = (v.double().sum(1, keepdim=True) + 0.5) / (v.shape[1] + 1)
    return on.logit()


def annealed_importance(
    machine: Machine,
    *,
    base_bias: Tensor,
    betas: Tensor,
    n_chains: int,
    uniform: Callable[[Tensor], Tensor],
) -> Estimate:
    """ln Z from n_chains annealed along betas (T,), which rise from 0 to 1; base_bias (R, 1, n).

    Raises ValueError where betas do not start at 0, end at 1 and rise.
    """
    if betas[0] != 0 or betas[-1] != 1 or not (betas.diff() > 0).all():
        raise ValueError(f"betas must rise from 0 to 1, got {betas[0]:g} to {betas[-1]:g}")
    machine, base_bias = Machine(*(p.double() for p in machine)), base_bias.double()
    weight, visible_bias, hidden_bias = machine
    runs, n_visible, n_hidden = weight.shape

    def sample(z: Tensor) -> Tensor:
        return (uniform(z) < sigmoid(z)).double()

    v = sample(base_bias.expand(runs, n_chains, n_visible).contiguous())
    log_w = v.new_zeros(runs, n_chains)
    shift = (visible_bias - base_bias).mT  # (R, n_visible, 1)
    steps = betas.double().tolist()
    for last, beta in zip(steps, steps[1:], strict=False):
        z = torch.baddbmm(hidden_bias, v, weight)
        log_w += (beta - last) * (v @ shift).squeeze(2)
        log_w += (softplus(beta * z) - softplus(last * z)).sum(2)
        h = sample(beta * z)
        field = (1 - beta) * base_bias + beta * visible_bias
        v = sample(torch.baddbmm(field, h, beta * weight.mT))
    log_base = n_hidden * math.log(2) + softplus(base_bias).sum((1, 2))
    log_mean = log_w.logsumexp(1) - math.log(n_chains)
    w = (log_w - log_mean.unsqueeze(1)).exp()  # relative to the mean
    return Estimate(log_base + log_mean, (w - 1).square().mean(1).div(n_chains).sqrt())
