"""The model of this family: a VD-VAE with a partial encoder, which completes images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from inpaint_cli.family import Completions, Typicality
from inpaint_cli.models.evaluation import evaluating
from inpaint_cli.models.ipa import dmol
from inpaint_cli.models.ipa.elbo import log_likelihood
from inpaint_cli.models.ipa.partial_encoder import partial_input
from inpaint_cli.models.ipa.posterior import Sides, walk
from inpaint_cli.models.ipa.vdvae import VdVae, activated
from inpaint_cli.randomness import Noise

T = TypeVar("T")


class CompletingVae(VdVae):
    """IPA, IPA-R, AIPO or AIPO-R, as its config says."""

    has_log_prob = True

    def forward(self, work: Callable[[], T]) -> T:
        """Return work(): for torch.func.functional_call, which runs it with other weights."""
        return work()

    def for_completion(self) -> Self:
        """Return the same model, its weights shared, without the path of the VAE that it took."""
        return self.changed(vae="")

    def partial_sides(self, image: Tensor, visible: Tensor) -> Sides:
        """Return what the heads of c take of the visible part; of edges, `image` is the drawing."""
        return activated(self.part_encoder(partial_input(self, image, visible)))

    def log_pixels(self, px_z: Tensor, image: Tensor) -> Tensor:
        """Return log p of every pixel given the latents, in nats, [N, H, W]."""
        return log_likelihood(self, self.decoder.read(px_z), image)

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete one image len(noise) times; see `Model.complete` and `sampling.complete`."""
        from inpaint_cli.models.ipa.sampling import complete

        with evaluating(self):
            return complete(self, image, visible, noise, temperature=temperature, **options)

    def no_reconstruction(self) -> None:
        """Return nothing: the VAE gives whole pictures back."""
        return

    def reconstructed(self, image: Tensor) -> Tensor:
        """Return what the VAE makes of one whole image, without chance (AIPO, figure 7).

        Every layer takes the mean of q(z | image), and every pixel that of its likeliest logistic.
        """
        from inpaint_cli.models.ipa.sampling import LARGEST_LOG_STD

        def mean(*shape: int) -> Tensor:
            return torch.zeros(1, *shape)

        sides = {"q": self.full_sides(image)}
        walked = walk(self, 1, sides, mean, ("q", "p"), ceiling=LARGEST_LOG_STD)
        params = self.decoder.read(self.decoder.finish(walked.states))
        return dmol.to_bytes(dmol.likeliest(params, self.config.channels))

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        """Return a lower bound of log p(hidden | visible), float64 [N], nats (`bounds`)."""
        from inpaint_cli.models.ipa.bounds import log_prob_hidden

        return log_prob_hidden(self, image, visible).nats

    def typicality_layers(self) -> int:
        """Return the number of layers of latents; 0 of edges, which see no visible pixels."""
        return 0 if self.config.condition == "edges" else len(self.decoder.blocks())

    def typicality(
        self, image: Tensor, visible: Tensor, noises: Sequence[Noise], *, sampled: bool = False
    ) -> Typicality:
        """Return how typical what is visible of each image is; see `Model.typicality`."""
        from inpaint_cli.models.ipa.typicality import typicality

        with evaluating(self):
            return typicality(self, image, visible, noises, sampled=sampled)
