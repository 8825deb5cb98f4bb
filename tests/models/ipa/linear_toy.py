"""A two-layer linear-Gaussian model whose every bound is known, behind the family's own walks.

z1 ~ N(0, 1); z2 | z1 ~ N(a z1 + b, s2); x = W z + mu + N(0, sigma2 I). All posteriors are chains of
two normals, linear in the data. The walks apply GELU to every state; far on the right GELU is the
identity, so states travel with OFFSET added.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from inpaint_cli.models.ipa.gaussians import Gaussian
from inpaint_cli.models.ipa.networks import CompletingVae
from tests.golden_files import golden

OFFSET = 64.0


def recorded() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((golden("ipa") / "toy.json").read_text("utf-8")))


def normal_log_prob(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    normal = torch.distributions.MultivariateNormal(mean, covariance)
    return cast(Tensor, normal.log_prob(x))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Truth:
    """The model's parameters, and what follows from them exactly."""

    a: float
    b: float
    s2: float
    sigma2: float
    weight: Tensor
    """[D, 2]."""
    mu: Tensor

    @classmethod
    def of(cls, chain: Mapping[str, Any]) -> "Truth":
        values = {k: torch.tensor(chain[k], dtype=torch.float64) for k in ("W", "mu")}
        return cls(**chain["params"], weight=values["W"], mu=values["mu"])

    @property
    def prior(self) -> tuple[Tensor, Tensor]:
        """Mean and covariance of z."""
        rows = [[1.0, self.a], [self.a, self.a**2 + self.s2]]
        return torch.tensor([0.0, self.b], dtype=torch.float64), torch.tensor(
            rows, dtype=torch.float64
        )

    def posterior(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [N, 2] and covariance [2, 2] of z given the entries `seen` (bool [D]) of [N, D]."""
        mean, covariance = self.prior
        weight = self.weight[seen]
        precision = torch.linalg.inv(covariance)
        cov = torch.linalg.inv(precision + weight.T @ weight / self.sigma2)
        pulled = precision @ mean + (x[:, seen] - self.mu[seen]) @ weight / self.sigma2
        return pulled @ cov, cov

    def log_prob(self, x: Tensor, seen: Tensor) -> Tensor:
        """log p of the entries `seen`, [N]."""
        mean, covariance = self.prior
        weight = self.weight[seen]
        noise = self.sigma2 * torch.eye(int(seen.sum()), dtype=torch.float64)
        return normal_log_prob(
            x[:, seen], weight @ mean + self.mu[seen], weight @ covariance @ weight.T + noise
        )

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """n draws of z and x."""

        def eps(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        mean, covariance = self.prior
        z = mean + eps(n, 2) @ torch.linalg.cholesky(covariance).T
        return z, z @ self.weight.T + self.mu + self.sigma2**0.5 * eps(n, len(self.mu))


class Chain(nn.Module):
    """z1 ~ N(m1, v1), z2 | z1 ~ N(k z1 + d, v2), the means linear in [1, data]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(width + 1, dtype=torch.float64))
        self.second = nn.Parameter(torch.zeros(width + 1, dtype=torch.float64))
        self.slope = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.log_std = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    @torch.no_grad()
    def set_exact(self, truth: Truth, seen: Tensor) -> None:
        """Make this the posterior given the entries `seen`."""
        width = len(self.first) - 1
        basis = torch.cat([torch.zeros(1, width), torch.eye(width)]).double()
        mean, cov = truth.posterior(basis, seen)
        slope = cov[0, 1] / cov[0, 0]
        for target, column in (
            (self.first, mean[:, 0]),
            (self.second, mean[:, 1] - slope * mean[:, 0]),
        ):
            target.copy_(torch.cat([column[:1], column[1:] - column[0]]))
        self.slope.copy_(slope)
        variances = torch.stack([cov[0, 0], cov[1, 1] - slope**2 * cov[0, 0]])
        self.log_std.copy_(variances.log() / 2)

    def layer(self, index: int, z1: Tensor, data: Tensor) -> Gaussian:
        padded = torch.cat([torch.ones_like(data[:, :1]), data], 1)
        mean = padded @ (self.second if index else self.first)
        if index:
            mean = mean + self.slope * z1
        log_std = self.log_std[index].expand(max(len(z1), len(data)))
        return Gaussian(
            mean.expand(len(log_std))[:, None, None, None], log_std[:, None, None, None]
        )


class Head(nn.Module):
    """One layer of a chain, called as the heads of the VD-VAE are."""

    def __init__(self, chain: Chain, index: int) -> None:
        super().__init__()
        self.chain, self.index = chain, index

    def side(self, activated: Tensor) -> Tensor:
        return activated - OFFSET

    def forward(self, seen: Tensor, side: Tensor) -> Gaussian:
        layer: Gaussian = self.chain.layer(self.index, seen[:, 0, 0, 0] - OFFSET, side)
        return layer


class ToyBlock(nn.Module):
    """One of two layers; the state [N, 2, 1, 1] holds z1 and z2, with OFFSET."""

    res, zdim = 1, 1

    def __init__(self, toy: "Toy", index: int) -> None:
        super().__init__()
        self.truth, self.index = toy.truth, index
        self.enc, self.part_enc = Head(toy.full, index), Head(toy.partial, index)

    def enter(self, states: Mapping[int, Tensor]) -> Tensor:
        return states[1]

    def describe(self, seen: Tensor) -> tuple[Gaussian, Tensor]:
        z1 = seen[:, :1] - OFFSET
        truth = self.truth
        mean, std = (truth.a * z1 + truth.b, truth.s2**0.5) if self.index else (0 * z1, 1.0)
        return Gaussian(mean, torch.full_like(mean, std).log()), self.skip(seen)

    def skip(self, seen: Tensor) -> Tensor:
        return torch.zeros_like(seen)

    def leave(self, x: Tensor, skip: Tensor, z: Tensor) -> Tensor:
        empty = torch.zeros_like(z)
        return x + skip + torch.cat([empty, z] if self.index else [z, empty], 1)


class Toy(nn.Module):
    """Stands in for a CompletingVae; an image [N, 1, 1, D] holds the entries of x, as they are."""

    def __init__(self, truth: Truth) -> None:
        super().__init__()
        self.truth = truth
        width = len(truth.mu)
        self.full, self.partial = Chain(width), Chain(width)
        self.decoder = ToyDecoder(self)

    def full_sides(self, image: Tensor) -> dict[int, Tensor]:
        return {1: image.flatten(1) + OFFSET}

    def partial_sides(self, image: Tensor, visible: Tensor) -> dict[int, Tensor]:
        return {1: torch.where(visible, image, 0.0).flatten(1) + OFFSET}

    def log_pixels(self, px_z: Tensor, image: Tensor) -> Tensor:
        z = px_z[:, :, 0, 0] - OFFSET
        mean = (z @ self.truth.weight.T + self.truth.mu)[:, None, None]
        std = math.sqrt(self.truth.sigma2)
        squares = ((image - mean) / std).square()
        return (-0.5 * squares - math.log(std * math.sqrt(2 * math.pi)))[:, 0]

    def as_vae(self) -> CompletingVae:
        return cast(CompletingVae, self)


class ToyDecoder(nn.Module):
    def __init__(self, toy: Toy) -> None:
        super().__init__()
        self.steps = nn.ModuleList(ToyBlock(toy, index) for index in range(2))

    def blocks(self) -> list[Any]:
        return list(self.steps)

    def start(self, batch: int) -> dict[int, Tensor]:
        return {1: torch.full((batch, 2, 1, 1), OFFSET, dtype=torch.float64)}

    def finish(self, states: Mapping[int, Tensor]) -> Tensor:
        return states[1]
