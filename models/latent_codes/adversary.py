"""A stage's discriminator at play: when it joins, how strongly, and what each side loses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from inpaint_cli.models.adversarial import frozen, untouched
from inpaint_cli.models.latent_codes import discriminator as adversarial
from inpaint_cli.models.latent_codes.discriminator import PatchDiscriminator
from inpaint_cli.models.projected import ProjectedDiscriminator

if TYPE_CHECKING:
    from inpaint_cli.models.latent_codes.networks import LatentCodes

STAGES = ("vqgan", "decoder")
"""Order of the pairs in the config."""


@dataclass(frozen=True)
class Outcome:
    """What the adversarial game adds to a step."""

    generator: Tensor
    """To be added to the loss of the autoencoder."""
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    """The discriminator's own, by group; empty without one."""
    scalars: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Adversary:
    """The discriminator of a stage, or None."""

    name: str
    network: PatchDiscriminator | ProjectedDiscriminator | None
    joined: bool
    weight: float
    limit: float
    r1_weight: float
    matching: bool
    """Its inner layers serve as features, for want of a perceptual network."""

    @classmethod
    def of(cls, model: LatentCodes, name: str, progress: float) -> Adversary:
        """Return the adversary `name` at a share of the stage's steps."""
        config, place = model.config, STAGES.index("vqgan" if name == "vqgan" else "decoder")
        rivals = dict(model.discriminators.items())
        return cls(
            name,
            cast("PatchDiscriminator | ProjectedDiscriminator | None", rivals.get(name)),
            progress >= config.disc_start[place],
            config.disc_weight[place],
            config.disc_limit,
            config.r1_weight if place else 0.0,
            model.perceptual is None,
        )

    def play(
        self,
        fake: Tensor,
        real: Tensor,
        reconstruction: Tensor,
        last: Tensor,
        mask: Tensor | None = None,
        penalise: bool = False,
    ) -> Outcome:
        """Return both sides' losses for images in [-1, 1]; `mask` is joined as a first channel.

        last: the weight at which the adaptive weight compares gradients. penalise: adds R1 to the
        discriminator's loss.
        """
        zero = reconstruction.new_zeros(())
        if self.network is None:
            return Outcome(zero)
        group = f"{self.name}-discriminator"
        patches = isinstance(self.network, PatchDiscriminator)
        planned = fake.is_meta and not patches  # a plan has no perceptual distance
        if isinstance(self.network, ProjectedDiscriminator) and not planned:
            self.network.its_trunk()  # what is missing is told at the first step
        if not self.joined or planned:
            return Outcome(zero, {group: untouched(self.network)})
        fake, real = _beside(mask, fake), _beside(mask, real)
        inner = -1 if patches else 0
        levels = frozen(self.network, fake)
        game = -adversarial.mean(levels[inner:])
        weight = adversarial.adaptive_weight(reconstruction, game, last, self.limit)
        generator = self.weight * weight * game
        if self.matching and patches:
            wanted = frozen(self.network, real)
            pairs = zip(levels[:-1], wanted[:-1], strict=True)
            generator = generator + torch.stack([(a - b).abs().mean() for a, b in pairs]).sum()
        outputs = [self.network(x.detach())[inner:] for x in (real, fake)]
        logits = [[scores.float() for scores in maps] for maps in outputs]
        loss = adversarial.hinge(*logits)
        scalars = {
            f"{self.name}/adaptive_weight": weight.detach(),
            f"{self.name}/logits_real": adversarial.mean(logits[0]).detach(),
            f"{self.name}/logits_fake": adversarial.mean(logits[1]).detach(),
        }
        if penalise and patches:
            loss = loss + self._penalty(real, mask)
        return Outcome(generator, {group: loss}, scalars)

    def _penalty(self, real: Tensor, mask: Tensor | None) -> Tensor:
        assert isinstance(self.network, PatchDiscriminator)
        first = 0 if mask is None else 1
        square = adversarial.gradient_penalty(self.network, real, slice(first, None))
        return 0.5 * self.r1_weight * R1_EVERY * square


R1_EVERY = 16
"""Steps between two gradient penalties, which then count as many times."""


def _beside(mask: Tensor | None, x: Tensor) -> Tensor:
    return x if mask is None else torch.cat([mask, x], dim=1)
