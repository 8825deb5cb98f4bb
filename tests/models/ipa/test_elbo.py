"""The unconditional bound adds up and is of each image alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from inpaint_cli.models.ipa.elbo import bound
from inpaint_cli.randomness import Noise
from tests.models.ipa.small_vaes import random_images, random_vae


def zeros(count: int) -> Callable[..., Tensor]:
    return lambda *shape: torch.zeros(count, *shape)


def test_distortion_and_rates_add_up_to_the_bound_in_nats_per_dimension() -> None:
    model, image = random_vae(), random_images(3)
    with torch.no_grad():
        elbo = bound(model, image, Noise.of_samples(0, "t", 0, range(3)).normal, keep=True)
    dimensions = 3 * 8 * 8
    per_layer = [layer.kl.flatten(1).sum(1) / dimensions for layer in elbo.layers]
    torch.testing.assert_close(elbo.rates, torch.stack(per_layer, 1))
    torch.testing.assert_close(elbo.total, elbo.distortion + elbo.rates.sum(1))
    assert all((layer.kl >= 0).all() for layer in elbo.layers)
    assert bound(model, image, zeros(3)).layers == []


def test_the_bound_of_an_image_is_its_own_whatever_the_batch() -> None:
    model, image = random_vae(), random_images(3)
    with torch.no_grad():
        whole = bound(model, image, Noise.of_samples(0, "t", 0, range(3)).normal)
        alone = bound(model, image[1:2], Noise.of_samples(0, "t", 0, [1]).normal)
    torch.testing.assert_close(whole.total[1:2], alone.total, rtol=1e-5, atol=1e-6)


def test_the_bound_lies_below_the_likelihood_that_many_samples_estimate() -> None:
    # log p(x) is at least the mean of the importance weights in logs, so more samples give more.
    model, image = random_vae(channels=1), random_images(1, channels=1)
    count = 64
    with torch.no_grad():
        noise = Noise.of_samples(0, "t", 0, range(count))
        elbo = bound(model, image.expand(count, -1, -1, -1), noise.normal, keep=True)
    dimensions = 8 * 8
    weights = -elbo.distortion.double() * dimensions
    for layer in elbo.layers:
        difference = layer.prior.log_prob(layer.z) - layer.posterior.log_prob(layer.z)
        weights += difference.double().flatten(1).sum(1)
    estimate = torch.logsumexp(weights, 0) - torch.tensor(float(count)).log()
    assert -elbo.total.double().mean() * dimensions < estimate
