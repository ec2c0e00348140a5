"""Autoencoder pretraining: each layer first learns to give back what it is given.

Problem  The gradient of the labels does not reach the lower layers of a deep sigmoid net
         (sigma'(z) <= 1/4 a layer); a layer that must reconstruct its own input has it next door.
Method   h = f(v weight + hidden_bias), y = g(h decoder + visible_bias), decoder = weight' if tied.
         Minimise the cross-entropy of y = sigmoid(.) with v where v lies in [0, 1], and half the
         squared error of y = (.) elsewhere: in both, delta of the decoder's input is y - v.
         Elsewhere v is first divided by its rms over all examples, and so is weight in the end.
Source   Bengio, Lamblin, Popovici, Larochelle (2007), Greedy layer-wise training of deep networks,
         NIPS 19, 153-160; BibTeX bengio2007greedy
Since    2006; displaced like RBMs around 2011; its denoising form came back in language and image
         models
Departs  mini-batches of 100 with momentum, like the RBM beside it, in place of single examples;
         visibles that are not in [0, 1] are scaled, as Glorot, Bordes, Bengio (2011) do between
         layers of rectifiers (BibTeX glorot2011relu): else one rate does not suit all layers, and
         at 0.01 every rectifier from the second layer on dies
Use      Recipe(pretraining=Autoencoder(tied_weights=True))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from techniques.activations.sigmoid import sigmoid, sigmoid_
from techniques.streams import batches, stream, take

if TYPE_CHECKING:
    from techniques.network import Network
    from techniques.recipe import Recipe


class Coder(NamedTuple):
    """Parameters of R autoencoders, or their gradient; the decoder is absent where it is tied."""

    weight: Tensor  # (R, n_visible, n_hidden)
    hidden_bias: Tensor  # (R, 1, n_hidden)
    visible_bias: Tensor  # (R, 1, n_visible)
    decoder: Tensor | None  # (R, n_hidden, n_visible)

    def tensors(self) -> list[Tensor]:
        """All parameters that there are."""
        return [tensor for tensor in self if tensor is not None]


def gradient(
    v: Tensor,
    corrupted: Tensor,
    coder: Coder,
    *,
    activation: Callable[[Tensor], Tensor],
    unit_interval: bool,
) -> Coder:
    """d (mean loss over the batch) / d coder; v and corrupted (R, B, n_visible).

    The code is that of ``corrupted``, the target v: the same, but for a denoising autoencoder. The
    loss of an example is summed over its visible units, in nats or squared units.
    """
    decoder = coder.weight.mT if coder.decoder is None else coder.decoder
    with torch.enable_grad():  # the activation's derivative is all that is left to autograd
        z = torch.baddbmm(coder.hidden_bias, corrupted, coder.weight).detach().requires_grad_()
        h = activation(z)  # (R, B, n_hidden)
    code = h.detach()
    y = torch.baddbmm(coder.visible_bias, code, decoder)
    if unit_interval:
        y = sigmoid(y)
    delta_visible = (y - v) / v.shape[1]  # (R, B, n_visible)
    (delta_hidden,) = torch.autograd.grad(h, z, delta_visible @ decoder.mT)
    d_weight = corrupted.mT @ delta_hidden
    d_decoder = code.mT @ delta_visible
    if coder.decoder is None:
        d_weight, d_decoder = d_weight + d_decoder.mT, None
    return Coder(
        d_weight, delta_hidden.sum(1, keepdim=True), delta_visible.sum(1, keepdim=True), d_decoder
    )


def descend(coder: Coder, velocity: Coder, slope: Coder, *, lr: float, momentum: float) -> None:
    """velocity <- momentum velocity - lr slope; coder += velocity, in place."""
    torch._foreach_mul_(velocity.tensors(), momentum)
    torch._foreach_add_(velocity.tensors(), slope.tensors(), alpha=-lr)
    torch._foreach_add_(coder.tensors(), velocity.tensors())


def update(
    v: Tensor,
    corrupted: Tensor,
    coder: Coder,
    velocity: Coder,
    *,
    activation: Callable[[Tensor], Tensor],
    unit_interval: bool,
    lr: float,
    momentum: float,
) -> None:
    """velocity <- momentum velocity - lr gradient; coder += velocity, in place."""
    slope = gradient(v, corrupted, coder, activation=activation, unit_interval=unit_interval)
    descend(coder, velocity, slope, lr=lr, momentum=momentum)


def fused_update(
    v: Tensor,
    corrupted: Tensor,
    coder: Coder,
    velocity: Coder,
    *,
    activation: Callable[[Tensor], Tensor],
    unit_interval: bool,
    lr: float,
    momentum: float,
) -> None:
    """The same as ``update`` up to rounding; for an activation with ``forward_`` and ``backward_``.

    The products add to the velocity what they compute: the gradient is never written to memory.
    """
    tied = coder.decoder is None
    decoder = coder.weight.mT if tied else coder.decoder
    code = activation.forward_(torch.baddbmm(coder.hidden_bias, corrupted, coder.weight))
    y = torch.baddbmm(coder.visible_bias, code, decoder)
    if unit_interval:
        y = sigmoid_(y)
    delta_visible = y.sub_(v)  # (R, B, n_visible); the mean over the batch is in ``share``
    delta_hidden = activation.backward_(delta_visible @ decoder.mT, code)
    share = -lr / v.shape[1]
    velocity.weight.baddbmm_(corrupted.mT, delta_hidden, beta=momentum, alpha=share)
    if tied:
        velocity.weight.baddbmm_(delta_visible.mT, code, alpha=share)
    else:
        velocity.decoder.baddbmm_(code.mT, delta_visible, beta=momentum, alpha=share)
    velocity.hidden_bias.mul_(momentum).add_(delta_hidden.sum(1, keepdim=True), alpha=share)
    velocity.visible_bias.mul_(momentum).add_(delta_visible.sum(1, keepdim=True), alpha=share)
    torch._foreach_add_(coder.tensors(), velocity.tensors())


def fastest_update(activation: Callable[[Tensor], Tensor]) -> Callable[..., None]:
    """``fused_update`` if the activation brings its derivative along, or ``update``."""
    return fused_update if hasattr(activation, "backward_") else update


def train_coder(
    network: Network,
    index: int,
    visible: Tensor,
    seeds: Sequence[int],
    learn: Callable[[Tensor, Coder, Coder], None],
    *,
    epochs: int,
    batch_size: int,
    tied_weights: bool,
    unit_interval: bool,
) -> None:
    """Train a hidden layer on visible (N, D), or (R, N, n_visible), as the encoder of a Coder.

    ``learn(v, coder, velocity)`` is one update, in place. The weights start as the recipe's
    initialisation drew them, and so does the decoder's. Where visibles do not lie in [0, 1] the
    coder sees them divided by each run's rms, and the layer gets its weights divided likewise.
    """
    recipe, target = network.recipe, network.parameters[index]
    scale = None
    if not unit_interval:
        scale = visible.square().mean((-2, -1), keepdim=True).sqrt()
        scale = torch.where(scale > 0, scale, 1)
        visible = visible / scale
    device, n_examples = visible.device, visible.shape[-2]
    _, n_visible, n_hidden = target["weight"].shape
    decoder = None
    if not tied_weights:
        streams = [stream(s, f"autoencoder:decoder:{index}") for s in seeds]
        draws = [recipe.initialisation(n_hidden, n_visible, g) for g in streams]
        decoder = torch.stack(draws).to(device)
    coder = Coder(
        target["weight"].detach(),  # shares memory: training it trains the network
        target["bias"].detach(),
        torch.zeros(len(seeds), 1, n_visible, device=device),
        decoder,
    )
    velocity = Coder(*(None if p is None else torch.zeros_like(p) for p in coder))
    order = batches(seeds, f"autoencoder:order:{index}", n_examples, batch_size, device)
    for _ in range(epochs * (n_examples // batch_size)):
        learn(take(visible, next(order)), coder, velocity)
    if scale is not None:
        coder.weight.div_(scale)


@dataclass(frozen=True)
class Autoencoder:
    """Greedy pretraining by gradient descent with momentum on the reconstruction."""

    epochs: int = 10
    lr: float = 0.01
    momentum: float = 0.9
    tied_weights: bool = True
    batch_size: int = 100

    needs_unit_interval = False

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be 1 or more, got {self.epochs}")

    def check(self, recipe: Recipe) -> None:
        """Any activation and connection will do."""

    def train_layer(
        self,
        network: Network,
        index: int,
        visible: Tensor,
        seeds: Sequence[int],
        *,
        unit_interval: bool,
    ) -> None:
        """Train weight and bias of one hidden layer on visible (N, D), or (R, N, n_visible)."""
        activation = network.recipe.activation
        update = fastest_update(activation)
        kinds = {"activation": activation, "unit_interval": unit_interval}
        rates = {"lr": self.lr, "momentum": self.momentum}

        def learn(v: Tensor, coder: Coder, velocity: Coder) -> None:
            update(v, v, coder, velocity, **kinds, **rates)

        train_coder(
            network,
            index,
            visible,
            seeds,
            learn,
            epochs=self.epochs,
            batch_size=self.batch_size,
            tied_weights=self.tied_weights,
            unit_interval=unit_interval,
        )
