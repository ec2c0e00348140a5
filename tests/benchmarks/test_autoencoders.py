"""Images, starts and training that the papers on autoencoders share, against hand-worked cases."""

import torch

from benchmarks.autoencoders import (
    encoder,
    error,
    error_of_mean,
    fine_tune,
    pretrained_start,
    random_start,
    shrunk,
)
from techniques.initialisation.sparse import Sparse
from techniques.optimisation.nesterov import Nesterov
from techniques.optimisation.sgd import Sgd
from techniques.pretraining.rbm import Rbm
from techniques.recipe import Recipe

CPU = torch.device("cpu")
SPARSE = Recipe(initialisation=Sparse(n_incoming=3))


def pictures(n: int = 12) -> torch.Tensor:
    """(n, 16), in (0, 1)."""
    return torch.rand(n, 16, generator=torch.Generator().manual_seed(3))


def test_a_shrunken_image_has_the_means_of_its_squares():
    image = torch.zeros(28, 28)
    image[2, 4:6] = 1  # two of the four pixels of the square in row 1, column 2
    small = shrunk(image.view(1, -1), 14).view(14, 14)
    assert small[1, 2] == 0.5 and small.sum() == 0.5
    assert torch.equal(shrunk(image.view(1, -1), 28), image.view(1, -1))


def test_the_layers_of_the_encoder_end_in_the_code():
    assert encoder({"layers": "400-25"}, 6) == (400, 25, 6)
    assert encoder({"layers": 50}, 6) == (50, 6)


def test_a_random_start_is_mirrored_and_drawn_layer_by_layer():
    autoencoder = random_start(SPARSE, 16, (8, 5), [1, 2], CPU)
    shapes = [tuple(layer["weight"].shape) for layer in autoencoder.parameters]
    assert shapes == [(2, 16, 8), (2, 8, 5), (2, 5, 8), (2, 8, 16)]
    for layer in autoencoder.parameters:  # the decoder and the output are sparse, too
        assert ((layer["weight"] != 0).sum(1) == 3).all() and not layer["bias"].any()
    assert autoencoder(pictures()).shape == (2, 12, 16)


def test_errors_are_those_of_the_definition():
    x, autoencoder = pictures(), random_start(SPARSE, 16, (5,), [1], CPU)
    given = [autoencoder(v[None])[0, 0].detach() for v in x]
    expected = sum(float(((v - g) ** 2).sum()) for v, g in zip(x, given, strict=True)) / len(x)
    torch.testing.assert_close(error(autoencoder, x), torch.tensor([expected]))
    variance = float(x.var(0, correction=0).sum())
    assert abs(error_of_mean(x, x) - variance) < 1e-5


def test_the_finish_goes_on_with_the_other_optimisers_state():
    x, kind = pictures(), {"lr": 0.1, "updates": 6, "batch_size": 4}
    whole, parted = (random_start(SPARSE, 16, (5,), [1], CPU) for _ in range(2))
    fine_tune(whole, x, [1], optimisation=Nesterov(), **kind)
    before = fine_tune(
        parted, x, [1], optimisation=Nesterov(), finish=Nesterov(), finish_updates=2, **kind
    )
    assert torch.equal(error(whole, x), error(parted, x))
    shorter = random_start(SPARSE, 16, (5,), [1], CPU)
    after = fine_tune(shorter, x, [1], optimisation=Nesterov(), **{**kind, "updates": 4})
    assert torch.equal(before, after) and torch.equal(after, error(shorter, x))


def test_pretraining_and_training_by_the_gradient_lower_the_error():
    x = pictures().round()
    recipe = Recipe(pretraining=Rbm(epochs=100, batch_size=4))
    autoencoder = pretrained_start(recipe, x, (16, 8), [1, 2])
    start = error(autoencoder, x)
    fine_tune(autoencoder, x, [1, 2], optimisation=Sgd(), lr=0.03, updates=300, batch_size=4)
    assert (error(autoencoder, x) < 0.7 * start).all()
