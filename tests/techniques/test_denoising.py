"""The damage by its distribution, and one layer's training against autograd on the loss."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from techniques.network import build
from techniques.pretraining.denoising import Denoising, add_gaussian, mask, salt_and_pepper
from techniques.pretraining.greedy import greedy
from techniques.recipe import BASELINE
from techniques.streams import batches, stream, take, uniform_noise

CORRUPTIONS = ["masking", "salt-and-pepper", "gaussian"]


def test_the_damage_by_hand():
    v = torch.tensor([[[0.3, 0.6, 0.9, 0.2, 0.5]]])
    u = torch.tensor([[[0.1, 0.3, 0.4, 0.7, 0.39]]])  # level 0.4: below 0.2 pepper, to 0.4 salt
    assert torch.equal(mask(v, 0.4, u), torch.tensor([[[0.0, 0.0, 0.9, 0.2, 0.0]]]))
    damaged = salt_and_pepper(v, 0.4, u, unit_interval=True)
    assert torch.equal(damaged, torch.tensor([[[0.0, 1.0, 0.9, 0.2, 1.0]]]))


def test_salt_and_pepper_outside_the_unit_interval_are_each_runs_own_extremes():
    v = torch.tensor([[[-2.0, 0.5], [3.0, 1.0]], [[-5.0, 0.5], [0.0, 1.0]]])
    u = torch.tensor([[[0.9, 0.1], [0.9, 0.3]]]).expand(2, -1, -1)
    expected = torch.tensor([[[-2.0, -2.0], [3.0, 3.0]], [[-5.0, -5.0], [0.0, 1.0]]])
    assert torch.equal(salt_and_pepper(v, 0.4, u, unit_interval=False), expected)


def corrupted(corruption: str, level: float) -> tuple[torch.Tensor, torch.Tensor]:
    """40,000 elements, all inside (0, 1), and what becomes of them."""
    v = 0.25 + 0.5 * torch.rand(1, 100, 400, generator=torch.Generator().manual_seed(0))
    corrupt = Denoising(corruption, level).corrupter([0], 0, v.device, unit_interval=True)
    return v, corrupt(v)


def test_masking_sets_the_stated_share_to_zero_and_keeps_the_rest():
    v, damaged = corrupted("masking", 0.25)
    kept = damaged != 0
    assert torch.equal(damaged[kept], v[kept])
    # a share of 40,000 Bernoulli(0.25) draws has standard error 0.0022
    assert 1 - kept.double().mean().item() == pytest.approx(0.25, abs=4 * 0.0022)


def test_salt_and_pepper_share_the_damage_evenly():
    v, damaged = corrupted("salt-and-pepper", 0.25)
    salt, pepper = damaged == 1, damaged == 0
    kept = ~(salt | pepper)
    assert torch.equal(damaged[kept], v[kept])
    for share in (salt, pepper):  # Bernoulli(0.125): standard error 0.0017
        assert share.double().mean().item() == pytest.approx(0.125, abs=4 * 0.0017)


def test_gaussian_damage_has_mean_zero_and_the_stated_deviation():
    v, damaged = corrupted("gaussian", 0.3)
    noise = (damaged - v).double()
    # of 40,000 draws: standard error 0.3 / 200 of the mean, 0.3 / sqrt(80,000) of the deviation
    assert noise.mean().item() == pytest.approx(0, abs=4 * 0.0015)
    assert noise.std().item() == pytest.approx(0.3, abs=4 * 0.0011)
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), v.flatten()]))[0, 1]) < 4 / 200


def test_the_corrupter_of_real_inputs_takes_each_batchs_own_extremes():
    v = 3 * torch.randn(2, 50, 40, generator=torch.Generator().manual_seed(0))
    corrupt = Denoising("salt-and-pepper", 0.4).corrupter([5, 6], 1, v.device, unit_interval=False)
    noise = uniform_noise([5, 6], "autoencoder:noise:1")
    for batch in (v, v / 2):
        u, damaged = noise(batch), corrupt(batch)
        for run in range(2):
            expected = batch[run].clone()
            expected[u[run] < 0.4] = batch[run].max()
            expected[u[run] < 0.2] = batch[run].min()
            assert torch.equal(damaged[run], expected)


def damage_by_hand(corruption, level, v, noise, generator, *, real):
    """Written anew."""
    if corruption == "gaussian":
        return v + level * torch.empty_like(v[0]).normal_(generator=generator)
    u = noise(v)
    if corruption == "masking":
        return torch.where(u < level, 0.0, v)
    least, greatest = (v.min(), v.max()) if real else (0.0, 1.0)
    return torch.where(u < level / 2, least, torch.where(u < level, greatest, v))


@pytest.mark.parametrize("real", [False, True], ids=["in [0, 1]", "real"])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("tied", [True, False])
def test_training_a_layer_is_momentum_on_autograds_gradient(corruption, tied, real):
    technique = Denoising(corruption, 0.4, epochs=2, batch_size=4, lr=0.2, tied_weights=tied)
    recipe = BASELINE.but(pretraining=technique)
    network = build(recipe, n_inputs=6, n_classes=2, widths=[5], seeds=[3])
    weight = network.parameters[0]["weight"].detach().clone().requires_grad_()
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    x = 5 * x - 2 if real else x
    greedy(network, x, [3])

    scale = x.square().mean().sqrt() if real else torch.tensor(1.0)
    hidden_bias = torch.zeros(1, 1, 5, requires_grad=True)
    visible_bias = torch.zeros(1, 1, 6, requires_grad=True)
    parameters = [weight, hidden_bias, visible_bias]
    if not tied:
        decoder = recipe.initialisation(5, 6, stream(3, "autoencoder:decoder:0"))[None]
        parameters.append(decoder.requires_grad_())
    optimiser = torch.optim.SGD(parameters, lr=0.2, momentum=0.9)
    order = batches([3], "autoencoder:order:0", 8, 4)
    noise = uniform_noise([3], "autoencoder:noise:0")
    generator = stream(3, "autoencoder:noise:0")
    for _ in range(4):
        v = take(x, next(order)) / scale
        damaged = damage_by_hand(corruption, 0.4, v, noise, generator, real=real)
        h = torch.sigmoid(damaged @ weight + hidden_bias)
        y = h @ (weight.mT if tied else decoder) + visible_bias
        if real:
            loss = 0.5 * (y - v).square().sum()
        else:
            loss = binary_cross_entropy(torch.sigmoid(y), v, reduction="sum")
        optimiser.zero_grad()
        (loss / 4).backward()
        optimiser.step()
    layer = network.parameters[0]
    for got, expected in ((layer["weight"], weight / scale), (layer["bias"], hidden_bias)):
        torch.testing.assert_close(got.detach(), expected.detach(), rtol=0, atol=1e-5)


def test_every_run_is_damaged_by_a_stream_of_its_own_and_anew_each_time():
    v = torch.full((2, 3, 4), 0.5)
    for corruption in CORRUPTIONS:
        corrupt = Denoising(corruption).corrupter([5, 6], 0, v.device, unit_interval=True)
        alone = Denoising(corruption).corrupter([6], 0, v.device, unit_interval=True)
        first, second = corrupt(v), corrupt(v)
        assert not torch.equal(first[0], first[1])
        assert not torch.equal(first, second)
        assert torch.equal(alone(v[:1])[0], first[1])
        assert torch.equal(v, torch.full((2, 3, 4), 0.5))


def test_gaussian_noise_comes_from_the_generators_given():
    v = torch.zeros(1, 3, 4)
    drawn = add_gaussian(v, 2.0, [torch.Generator().manual_seed(1)])
    again = torch.empty(3, 4).normal_(0, 2.0, generator=torch.Generator().manual_seed(1))
    assert torch.equal(drawn[0], again)


def test_settings_that_mean_nothing_are_refused():
    for level in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match=f"level must be a share in .* got {level}"):
            Denoising("masking", level)
    with pytest.raises(ValueError, match="got -0.3"):
        Denoising("gaussian", -0.3)
    assert Denoising("gaussian", 1.5).level == 1.5  # a deviation may be
    with pytest.raises(ValueError, match="corruption must be .* got blur"):
        Denoising("blur")
    with pytest.raises(ValueError, match="epochs must be 1 or more, got 0"):
        Denoising(epochs=0)
