"""The one stage: loss, training step (Algorithm 1) and validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from inpaint_cli.device import full_precision
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.adversarial import frozen, untouched
from inpaint_cli.models.layers import at_least_float32
from inpaint_cli.models.means import mean_per_image
from inpaint_cli.models.picme import losses
from inpaint_cli.models.picme.mixture import (
    Gaussian,
    Mixture,
    distances,
    divergences,
    drawn_components,
    entropy,
    kl,
    nearest,
    sample,
)
from inpaint_cli.models.picme.networks import MixtureOfPrimitives, mask_at
from inpaint_cli.models.picme.usage import explored, follow, revive_idle
from inpaint_cli.models.pixels import to_unit
from inpaint_cli.models.projected import ProjectedDiscriminator
from inpaint_cli.randomness import Noise


@dataclass(frozen=True)
class Latents:
    """What f says of a batch, and the component that each image trains."""

    z_m: Tensor
    e: Tensor
    """Features for the attention of g."""
    mixture: Mixture
    posterior: Gaussian
    nearest: Tensor
    """int64 [B], the component of least KL to the posterior."""
    chosen: Tensor
    """int64 [B], the one that is trained: mostly the nearest."""


@dataclass(frozen=True)
class Pictures:
    """What g makes of a batch: images at all its sides, the whole one last."""

    reconstructed: list[Tensor]
    """From the posterior's z_c, [B, C, ., .]."""
    generated: list[Tensor]
    """From the components' z_c, [B, C, ., .], or [B k, C, ., .] where all are decoded."""


def encode_batch(model: MixtureOfPrimitives, x: Tensor, m: Tensor) -> Latents:
    """Run f once on what is visible and what is hidden of x [B, C, S, S] in [-1, 1]."""
    features = model.encoder(torch.cat([m * x, (1 - m) * x]))
    z_m, e = model.seen([feature[: len(x)] for feature in features])
    mixture = model.encoder.mixture(z_m)
    posterior = model.encoder.posterior(features[-1][len(x) :])
    index = nearest(mixture, posterior)
    return Latents(z_m, e, mixture, posterior, index, index)


def drawn(
    model: MixtureOfPrimitives, latents: Latents, m: Tensor, normals: Tensor, every: bool
) -> Pictures:
    """Run g once on both kinds of z_c; normals: [B, 1 + components, C, h, w]."""
    mixture = latents.mixture
    normals = normals.to(mixture.mu)
    count = mixture.primitives if every else 1
    z_post = sample(latents.posterior, normals[:, 0])
    if every:
        z = sample(mixture.all_components(), normals[:, 1:].flatten(0, 1))
    else:
        z = sample(mixture.component(latents.chosen), normals[:, 1])

    def both(x: Tensor) -> Tensor:
        return torch.cat([x, x.repeat_interleave(count, 0)])

    context = (both(latents.z_m), both(latents.e), both(mask_at(m, latents.e)))
    images = [
        at_least_float32(image)
        for image in model.decoder(context[0], torch.cat([z_post, z]), context[1], context[2])
    ]
    n = len(m)
    return Pictures([image[:n] for image in images], [image[n:] for image in images])


class CompletionStage(Stage[MixtureOfPrimitives]):
    """All networks together: one joint step in place of the alternation of Algorithm 1."""

    name = "completion"

    def trainable(self, model: MixtureOfPrimitives) -> list[ParameterGroup]:
        """Return f and g, and both discriminators."""
        painters = [*model.encoder.parameters(), *model.decoder.parameters()]
        groups = [ParameterGroup("generator", painters)]
        if model.discriminators:
            groups.append(ParameterGroup("discriminator", list(model.discriminators.parameters())))
        return groups

    def loss(self, model: MixtureOfPrimitives, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return L_FINAL, and the loss of both discriminators."""
        config = model.config
        revive_idle(model, step, noise.seed)
        x, m = to_unit(batch.image), batch.visible.float()
        draws = noise.uniform(2)
        latents = encode_batch(model, x, m)
        follow(model, latents.nearest)
        k = config.primitives
        chosen = explored(latents.nearest, draws, k, step, config.explore_steps)
        latents = replace(latents, chosen=chosen)
        every = config.decode == "all"
        shape = latents.posterior.mu.shape[1:]
        normals = noise.normal(1 + (k if every else 1), *shape)
        pictures = drawn(model, latents, m, normals, every)
        terms = self.terms(model, latents, pictures, x, m)
        against, groups = self._game(model, pictures, x, m)
        total = terms["total"] + config.adversarial_weight * against
        if against.requires_grad:
            terms["adversarial"] = against
        scalars = {name: value.detach() for name, value in terms.items()}
        scalars |= monitored(model, latents)
        return StepResult({"generator": total, **groups}, scalars)

    def terms(
        self,
        model: MixtureOfPrimitives,
        latents: Latents,
        pictures: Pictures,
        x: Tensor,
        m: Tensor,
    ) -> dict[str, Tensor]:
        """Return every term but the adversarial ones, unweighted, and their weighted "total"."""
        config = model.config
        q, p = latents.mixture, latents.posterior
        copies = len(pictures.generated[-1]) // len(x)
        x_all, m_all = x.repeat_interleave(copies, 0), m.repeat_interleave(copies, 0)
        with full_precision(x.device):
            elements = losses.backpropagate_max(q.component(latents.chosen), p, config)
            terms = {
                "frequency": losses.frequency(q.weights, latents.chosen),
                "divergence": losses.element_mean(elements, config.free_bits),
                "standard": losses.element_mean(losses.to_standard(q, latents.chosen, config)),
                "reconstruction": losses.reconstruction(pictures.reconstructed, x),
                "visible": losses.visible_reconstruction(pictures.generated, x_all, m_all),
            }
            divergence = terms["divergence"] + config.prior_weight * terms["standard"]
            if config.posterior_prior:
                terms["posterior_prior"] = kl(losses.hole_prior(m, p), p).mean()
                divergence = divergence + terms["posterior_prior"]
            terms["total"] = (
                terms["frequency"]
                + config.kl_weight * config.scales * divergence
                + terms["reconstruction"]
                + (1 + config.visible_weight) * terms["visible"]
            )
        return terms

    def _game(
        self, model: MixtureOfPrimitives, pictures: Pictures, x: Tensor, m: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return L_A and, as a group, the loss of both discriminators."""
        if not model.discriminators:
            return x.new_zeros(()), {}
        if x.is_meta and model.config.takes_perceptual:  # a plan has no perceptual distance
            return x.new_zeros(()), {"discriminator": untouched(model.discriminators)}
        painted = {
            "generated": pictures.generated[-1],
            "reconstructed": pictures.reconstructed[-1],
        }
        judgements, scores = [], []
        for name, images in painted.items():
            rival = model.discriminators[name]
            copies = len(images) // len(x)
            real, fake = shown(rival, x, m), shown(rival, images, m.repeat_interleave(copies, 0))
            pairs = [
                scores.tensor_split([len(x)])
                for scores in maps(rival(torch.cat([real, fake.detach()])))
            ]
            judgements.append(torch.stack([losses.discrimination(*pair) for pair in pairs]).mean())
            originals = [original.repeat_interleave(copies, 0) for original, _ in pairs]
            scores += [maps(frozen(rival, fake)), originals]
        config = model.config
        against = [
            losses.adversarial(generated, original, rebuilt, original_rec, config)
            for generated, original, rebuilt, original_rec in zip(*scores, strict=True)
        ]
        return torch.stack(against).mean(), {"discriminator": torch.stack(judgements).sum()}

    def validate(
        self, model: MixtureOfPrimitives, batch: Batch, noise: Noise
    ) -> Mapping[str, Tensor]:
        """Return the objective without L_A, then the error of one completion, KL and entropy.

        Errors are mean absolute ones in [-1, 1]; KL in nats per latent element.
        """
        x, m = to_unit(batch.image), batch.visible.float()
        latents = encode_batch(model, x, m)
        uniform = noise.uniform(1)
        normals = noise.normal(2, *latents.posterior.mu.shape[1:])
        pictures = drawn(model, latents, m, normals, every=False)
        objective = [
            self.terms(model, one_of(latents, i), one_pair(pictures, i), x[i : i + 1], m[i : i + 1])
            for i in range(len(x))
        ]
        index = drawn_components(latents.mixture.weights, uniform)[:, 0]
        z = sample(latents.mixture.component(index), normals[:, 1].to(latents.z_m))
        image = model.decoder(latents.z_m, z, latents.e, mask_at(m, latents.e))[-1]
        best = divergences(latents.mixture, latents.posterior).amin(1)
        return {
            "objective": torch.stack([each["total"] for each in objective]).double(),
            "l1_hidden": mean_per_image((image - x).abs(), ~batch.visible),
            "l1_reconstruction": mean_per_image(
                (pictures.reconstructed[-1] - x).abs(), ~batch.visible
            ),
            "kl": best.double() / latents.posterior.mu[0].numel(),
            "weight_entropy": entropy(latents.mixture.weights).double(),
        }


def one_of(latents: Latents, i: int) -> Latents:
    """Return what f says of image i."""
    q, p, one = latents.mixture, latents.posterior, slice(i, i + 1)
    return Latents(
        latents.z_m[one],
        latents.e[one],
        Mixture(q.mu[one], q.sigma[one], q.weights[one]),
        Gaussian(p.mu[one], p.sigma[one]),
        latents.nearest[one],
        latents.chosen[one],
    )


def one_pair(pictures: Pictures, i: int) -> Pictures:
    """Return the pictures of image i, where one component was decoded."""
    return Pictures(
        [image[i : i + 1] for image in pictures.reconstructed],
        [image[i : i + 1] for image in pictures.generated],
    )


def shown(rival: nn.Module, images: Tensor, m: Tensor) -> Tensor:
    """Return what a discriminator is shown of images: projected ones see the mask as well."""
    return torch.cat([m - 0.5, images], 1) if isinstance(rival, ProjectedDiscriminator) else images


def maps(scores: Tensor | list[Tensor]) -> list[Tensor]:
    """Return the maps of scores: one of patches, or one of each scale."""
    return scores if isinstance(scores, list) else [scores]


@torch.no_grad()
def monitored(model: MixtureOfPrimitives, latents: Latents) -> dict[str, Tensor]:
    """Return what shows a collapse: of components, of their weights, of the posterior."""
    q, p = latents.mixture, latents.posterior
    share = model.usage / model.usage.sum()
    size = p.mu[0].numel()
    figures = {
        # Few components used by all images together is a collapse; by each image is not.
        "usage_perplexity": entropy(share).exp(),
        "mean_weight_entropy": entropy(q.weights.mean(0)),
        "weight_entropy": entropy(q.weights).mean(),
        "kl_nearest": divergences(q, p).amin(1).mean() / size,
        "sigma_posterior": p.sigma.mean(),
        "sigma_chosen": q.component(latents.chosen).sigma.mean(),
    }
    clamp = model.config.sigma_clamp
    if clamp:
        low, high = (torch.tensor(bound).exp() for bound in clamp)
        at_bound = (p.sigma <= low.to(p.sigma) * 1.001) | (p.sigma >= high.to(p.sigma) * 0.999)
        figures["clamped"] = at_bound.float().mean()
    if q.primitives > 1:
        apart = distances(q) / size
        apart = apart[:, *torch.triu_indices(q.primitives, q.primitives, 1)]
        figures |= {"apart_min": apart.amin(1).mean(), "apart_mean": apart.mean()}
    for i in range(q.primitives):
        figures[f"usage/{i}"] = share[i]
        figures[f"weight/{i}"] = q.weights[:, i].mean()
    return figures


STAGES = (CompletionStage(),)
