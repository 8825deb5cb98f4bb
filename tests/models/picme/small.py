"""Small models and batches for the tests of the family."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inpaint_cli.family import Batch
from inpaint_cli.models.picme.config import PRESETS
from inpaint_cli.models.picme.mixture import Gaussian, Mixture
from inpaint_cli.models.picme.networks import MixtureOfPrimitives
from inpaint_cli.randomness import Noise


def model_of(**changes: Any) -> MixtureOfPrimitives:
    """Return the 8x8 model with other settings and fixed random weights, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MixtureOfPrimitives(replace(PRESETS["digits"], **changes))
        with torch.no_grad():
            # As if trained: at the start attention and weights are switched off.
            model.decoder.attention.gamma.fill_(0.6)
            model.decoder.attention.alpha.fill_(0.8)
            model.encoder.head.mix.weight.normal_(0.0, 0.5)
    return model.eval()


def batch_of(count: int, seed: int = 0) -> Batch:
    """Return random 8x8 grey images, 60 % of each visible."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (count, 1, 8, 8), generator=generator).to(torch.uint8)
    return Batch(image, torch.rand(count, 1, 8, 8, generator=generator) < 0.6)


def samples(count: int) -> Noise:
    return Noise.of_samples(0, "test", 0, range(count))


def completions(n: int) -> Noise:
    return Noise.of_completions(0, b"picme", range(n))


def mixture_of(k: int = 3, seed: int = 0, *shape: int) -> tuple[Mixture, Gaussian]:
    """Return a random mixture and posterior of two images, float64."""
    generator = torch.Generator().manual_seed(seed)
    shape = shape or (4,)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    weights = normal(2, k).softmax(1)
    mixture = Mixture(normal(2, k, *shape), normal(2, k, *shape).mul(0.4).exp(), weights)
    return mixture, Gaussian(normal(2, *shape), normal(2, *shape).mul(0.4).exp())
