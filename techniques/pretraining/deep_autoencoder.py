"""Deep autoencoder: pretrained layers unrolled into encoder and decoder, then trained as one.

Problem  From random weights a deep autoencoder does not train: large ones end in poor minima, small
         ones give gradients that vanish on the way down (sigma'(z) <= 1/4 a layer).
Method   Unroll a pretrained network: the encoder is its hidden layers, the last one's units linear
         (the code); the decoder is the same upside down, weight' for weight, and ends in sigmoids.
         From there on all weights move freely, down the gradient of the cross-entropy
         -sum_i (x_i log y_i + (1 - x_i) log(1 - y_i)): the delta of the last layer is y - x.
Source   Hinton, Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
         Science 313, 504-507; BibTeX hinton2006science
Since    2006; deep autoencoders train from a good initialisation since 2010 (Martens); beside them
         variational ones from 2013 on
Departs  it fills no slot of a recipe, for it classifies nothing: it is made from a pretrained
         network. The decoder's biases start at 0, where the paper's are the machines' visible
         biases, which the network does not keep. The code layer is pretrained with the recipe's
         units, and made linear after that, where the paper has a machine with Gaussian hidden
         units. Fine-tuned by conjugate gradients, as in the paper, or by any optimiser of a recipe
Use      unroll(network, linear_code=True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from techniques.activations.sigmoid import sigmoid
from techniques.network import Network
from techniques.optimisation.vector import flatten, unflatten


@dataclass
class DeepAutoencoder:
    """R autoencoders; parameters by layer, from the input over the code to the output."""

    parameters: list[dict[str, Tensor]]  # weight (R, fan_in, fan_out) and bias (R, 1, fan_out)
    activation: Callable[[Tensor], Tensor]
    linear_code: bool

    def trainable(self) -> list[Tensor]:
        """Every parameter tensor, from the first layer up."""
        return [tensor for layer in self.parameters for tensor in layer.values()]

    def encode(self, x: Tensor) -> Tensor:
        """x (R, B, D), or (B, D) for all runs alike -> code (R, B, n_code)."""
        *below, top = self.parameters[: len(self.parameters) // 2]
        h = x if x.dim() == 3 else x.expand(top["weight"].shape[0], -1, -1)
        for layer in below:
            h = self.activation(torch.baddbmm(layer["bias"], h, layer["weight"]))
        code = torch.baddbmm(top["bias"], h, top["weight"])
        return code if self.linear_code else self.activation(code)

    def decode(self, code: Tensor) -> Tensor:
        """Code (R, B, n_code) -> logits (R, B, D) of the reconstruction."""
        *below, top = self.parameters[len(self.parameters) // 2 :]
        h = code
        for layer in below:
            h = self.activation(torch.baddbmm(layer["bias"], h, layer["weight"]))
        return torch.baddbmm(top["bias"], h, top["weight"])

    def __call__(self, x: Tensor) -> Tensor:
        """x (R, B, D) or (B, D) -> reconstruction (R, B, D), in (0, 1)."""
        return sigmoid(self.decode(self.encode(x)))


def unroll(network: Network, *, linear_code: bool = True) -> DeepAutoencoder:
    """The autoencoders whose encoders are copies of the network's hidden layers.

    Raises ValueError for a recipe whose layers are more than an activation of x weight + bias.
    """
    recipe = network.recipe
    for technique in (recipe.normalisation, recipe.connection):
        if technique is not None:
            raise ValueError(f"a deep autoencoder has no {type(technique).__name__} in its layers")
    if hasattr(recipe.activation, "parameters") or hasattr(recipe.activation, "pieces"):
        name = type(recipe.activation).__name__
        raise ValueError(f"a deep autoencoder needs an activation of z alone, got {name}")
    layers = network.parameters[:-1]
    up = [{name: layer[name].detach().clone() for name in ("weight", "bias")} for layer in layers]
    down = []
    for layer in reversed(up):
        weight = layer["weight"].mT.contiguous()  # a copy: the two are no longer tied
        down.append({"weight": weight, "bias": torch.zeros_like(weight[:, :1])})
    for layer in (*up, *down):
        for tensor in layer.values():
            tensor.requires_grad_()
    return DeepAutoencoder([*up, *down], recipe.activation, linear_code)


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Of x in [0, 1] with sigmoid(logits), both (R, B, D), in nats an example -> (R,)."""
    # = -x log y - (1 - x) log(1 - y), without the logarithm of a y that rounds to 0 or 1
    each = logits.clamp(min=0) - logits * x + (-logits.abs()).exp().log1p()
    return each.sum(2).mean(1)


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Summed over an example's D, mean over examples; x (R, B, D) or (B, D) -> (R,)."""
    return ((x - reconstruction) ** 2).sum(2).mean(1)


def fine_tune_step(
    autoencoder: DeepAutoencoder, x: Tensor, state: object, lr: Tensor, *, optimisation: object
) -> Tensor:
    """One update of every run, in place, on x (R, B, D) in [0, 1]; the cross-entropy before, (R,).

    ``state`` is what the optimiser's ``start`` made of ``trainable()``, lr (R, 1, 1). Conjugate
    gradients do all their line searches on x, Hessian-free all its products: give them 1,000 cases.
    """
    parameters = autoencoder.trainable()
    if hasattr(optimisation, "minimise"):
        return _line_searches(autoencoder, x, lr, optimisation)
    if hasattr(optimisation, "solve"):
        return _curvature_step(autoencoder, x, state, lr, optimisation)
    logits = autoencoder.decode(autoencoder.encode(x))
    delta = (sigmoid(logits.detach()) - x) / x.shape[1]
    gradients = torch.autograd.grad(logits, parameters, delta)
    optimisation.step(parameters, gradients, state, lr)
    return cross_entropy(logits.detach(), x)


def _at(autoencoder: DeepAutoencoder, theta: Tensor) -> DeepAutoencoder:
    """The same autoencoders with these parameters (R, P)."""
    tensors = iter(unflatten(theta, autoencoder.trainable()))
    layers = [{name: next(tensors) for name in layer} for layer in autoencoder.parameters]
    return replace(autoencoder, parameters=layers)


def _move(autoencoder: DeepAutoencoder, theta: Tensor) -> None:
    """Set the parameters, in place, to (R, P)."""
    parameters = autoencoder.trainable()
    with torch.no_grad():
        for parameter, new in zip(parameters, unflatten(theta, parameters), strict=True):
            parameter.copy_(new)


def _line_searches(
    autoencoder: DeepAutoencoder, x: Tensor, lr: Tensor, optimisation: object
) -> Tensor:
    def value(theta: Tensor) -> tuple[Tensor, Tensor]:
        theta = theta.detach().requires_grad_()
        there = _at(autoencoder, theta)
        loss = cross_entropy(there.decode(there.encode(x)), x)
        return loss.detach().unsqueeze(1), torch.autograd.grad(loss.sum(), theta)[0]

    theta = flatten(autoencoder.trainable())
    theta, loss = optimisation.minimise(value, theta, lr.squeeze(2))
    _move(autoencoder, theta)
    return loss


def _curvature_step(
    autoencoder: DeepAutoencoder, x: Tensor, state: object, lr: Tensor, optimisation: object
) -> Tensor:
    def outputs(theta: Tensor) -> Tensor:
        there = _at(autoencoder, theta)
        return there.decode(there.encode(x))

    theta = flatten(autoencoder.trainable())
    step, loss = optimisation.solve(outputs, lambda z: cross_entropy(z, x), theta, state)
    _move(autoencoder, theta + lr.squeeze(2) * step)
    return loss
