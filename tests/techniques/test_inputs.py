"""Standardised and whitened inputs, against scikit-learn and their definition."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from techniques.normalisation.inputs import Affine, Standardise, Zca
from techniques.pretraining.autoencoder import Autoencoder
from techniques.pretraining.rbm import Rbm
from techniques.recipe import BASELINE


def correlated(n=400, n_inputs=6):
    """Examples (N, D) far from 0, of unequal variances, all correlated."""
    g = torch.Generator().manual_seed(0)
    mix = torch.randn(n_inputs, n_inputs, generator=g, dtype=torch.float64)
    latent = torch.rand(n, n_inputs, generator=g, dtype=torch.float64)
    return 5 + latent @ mix * torch.arange(1, n_inputs + 1)


def covariance(x):
    centred = x - x.mean(0)
    return centred.T @ centred / len(x)


def test_standardised_inputs_equal_scikit_learns_on_training_and_other_examples():
    x, other = correlated().split(300)
    theirs = StandardScaler().fit(x.numpy())
    ours = Standardise().fit(x)
    for part in (x, other):
        torch.testing.assert_close(ours(part), torch.from_numpy(theirs.transform(part.numpy())))


def test_standardised_inputs_have_mean_0_and_variance_1_and_constants_become_0():
    x = correlated().float()
    x[:, 2] = 0.1
    x[:, 4] = 0
    x_new = Standardise().fit(x)(x)
    assert (x_new[:, [2, 4]] == 0).all()
    rest = x_new[:, [0, 1, 3, 5]]
    torch.testing.assert_close(rest.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(rest.var(0, correction=0), torch.ones(4), atol=1e-4, rtol=0)
    # an example in which the constant is another: still 0, as nothing is known of its scale
    assert Standardise().fit(x)(torch.full((6,), 9.0))[2] == 0


def test_two_examples_standardised_by_hand():
    """(1, 10) and (3, 10): mean (2, 10), sd (1, 0)."""
    affine = Standardise().fit(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))
    x = torch.tensor([[[1.0, 10.0], [5.0, 11.0]]])
    assert affine(x).tolist() == [[[-1.0, 0.0], [3.0, 0.0]]]


def test_the_covariance_of_whitened_inputs_is_the_identity():
    x = correlated()
    x_new = Zca(epsilon=1e-12).fit(x)(x)
    assert (covariance(x) - torch.eye(6)).abs().max() > 1  # it was far from it
    torch.testing.assert_close(covariance(x_new), torch.eye(6).double(), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(x_new.mean(0), torch.zeros(6).double(), rtol=0, atol=1e-8)


def test_of_all_that_whiten_zca_is_the_symmetric_map_nearest_to_the_data():
    x = correlated()
    affine = Zca(epsilon=1e-12).fit(x)
    torch.testing.assert_close(affine.weight, affine.weight.T)
    assert torch.linalg.eigvalsh(affine.weight).min() > 0
    # scikit-learn's whitening is another rotation of the same: nearer to the data is none
    theirs = torch.from_numpy(PCA(whiten=True).fit_transform(x.numpy()))
    assert (affine(x) - (x - x.mean(0))).norm() < (theirs - (x - x.mean(0))).norm()


def test_epsilon_is_added_to_the_variance_of_every_direction():
    """Along an eigenvector of variance v, the new variance is v / (v + epsilon)."""
    x = correlated()
    variance, u = torch.linalg.eigh(covariance(x))
    x_new = Zca(epsilon=0.5).fit(x)(x)
    expected = u @ (variance / (variance + 0.5)).diag() @ u.T
    torch.testing.assert_close(covariance(x_new), expected)


def test_directions_without_variance_stay_finite_and_near_0():
    x = correlated(n_inputs=4).float()
    x = torch.cat([x, x[:, :1] + x[:, 1:2], torch.full((len(x), 1), 0.1)], 1)  # rank 4 of 6
    x_new = Zca().fit(x)(x)
    assert x_new.isfinite().all() and x_new.dtype == torch.float32
    assert (x_new[:, 5].abs() < 1e-4).all()


@pytest.mark.parametrize("inputs", [Standardise(), Zca()])
def test_any_leading_axes_and_a_module_give_the_same(inputs):
    x = correlated().float()
    affine = inputs.fit(x)
    assert isinstance(affine, Affine)
    stacked = affine(x.view(4, 100, 6))
    torch.testing.assert_close(stacked.view(400, 6), affine(x))
    torch.testing.assert_close(affine.module()(x), affine(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [Standardise(), Zca()])
def test_rbms_are_refused_and_autoencoders_are_not(inputs):
    name = type(inputs).__name__
    with pytest.raises(ValueError, match=rf"{name} inputs leave \[0, 1\], which Rbm pretraining"):
        BASELINE.but(inputs=inputs, pretraining=Rbm())
    assert BASELINE.but(inputs=inputs, pretraining=Autoencoder()).inputs == inputs


def test_epsilon_must_be_above_zero():
    with pytest.raises(ValueError, match="epsilon must be above 0, got 0"):
        Zca(epsilon=0)
