"""The four stages: losses, training steps and validations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_cli.device import sum_over_ranks
from inpaint_cli.family import Batch, ParameterGroup, Stage, StepResult
from inpaint_cli.models.latent_codes import losses, starts
from inpaint_cli.models.latent_codes.adversary import R1_EVERY, Adversary
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.decoding import composite
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.restrictive import token_mask
from inpaint_cli.models.latent_codes.token_sampling import Drawing, draw_tokens, gumbel_of
from inpaint_cli.models.latent_codes.vqgan import REVIVE_UNTIL, Quantised, perplexity, uses
from inpaint_cli.models.means import masked_mean, mean_per_image
from inpaint_cli.models.pixels import from_unit, to_unit
from inpaint_cli.randomness import Noise

WRONG_CODES = 0.1
"""Share of the codes that are replaced at random when the generator is trained, as in the code."""
PIXEL_WEIGHT = 0.1
"""Weight of the refinement's pixel loss in the published presets."""


def group(name: str, *modules: nn.Module | None) -> ParameterGroup:
    """Return the parameters of some networks as one group."""
    present = [module for module in modules if module is not None]
    return ParameterGroup(name, [p for module in present for p in module.parameters()])


def opponents(model: LatentCodes, stage: str) -> list[ParameterGroup]:
    """Return the group of a stage's discriminator, if the model has one."""
    if stage not in model.discriminators:
        return []
    # Half the rate, and a shorter memory for the direction: its target moves.
    parameters = list(model.discriminators[stage].parameters())
    averaged = model.config.codebook == "averaged"
    return [
        ParameterGroup(
            f"{stage}-discriminator",
            parameters,
            lr_scale=0.5 if averaged else 1.0,
            betas=(0.5, 0.99) if averaged else None,
        )
    ]


def image_distance(model: LatentCodes, a: Tensor, b: Tensor) -> Tensor:
    """Return the perceptual distance of images in [-1, 1], or what stands in for it."""
    if model.perceptual is None:
        return losses.structure_loss(a, b)
    return cast(Tensor, model.perceptual(a, b)).mean()


def weights_of(model: LatentCodes, network: str) -> tuple[float, float]:
    """Return the weights of the pixel loss and of `image_distance` of a network's output.

    What stands in for a perceptual distance has weights of its own, and then pixels count even
    where the published presets leave them out: nothing else would hold their colours.
    """
    config, place = model.config, int(network != "vqgan")
    published = network == "refinement" and not config.raw_loss
    pixels = PIXEL_WEIGHT if published else config.pixel_weight[place]
    if model.perceptual is None:
        return (1.0 if published else pixels or 1.0), 1.0
    return pixels, config.perceptual_weight[place]


def decoded(model: LatentCodes, tokens: Tensor) -> Tensor:
    """Return the uint8 images that the VQGAN makes of tokens [N, h, w]."""
    return from_unit(model.vqgan.decode(model.vqgan.quantize.vectors(tokens)))


class VQGANStage(Stage[LatentCodes]):
    """Images to codes and back; the other stages stand on it."""

    name = "vqgan"

    def trainable(self, model: LatentCodes) -> list[ParameterGroup]:
        """Return the autoencoder, and its discriminator."""
        return [group("autoencoder", model.vqgan), *opponents(model, self.name)]

    def loss(self, model: LatentCodes, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return |x - x'| + the perceptual distance + the codebook's and the adversarial term."""
        config, vqgan = model.config, model.vqgan
        x, _ = at_side(batch.image, batch.visible, config.coarse_side)
        quantised = self._quantised(model, x, batch, step, noise)
        output = vqgan.decode(quantised.vectors).float()
        terms = {
            "l1": F.l1_loss(output, x),
            "perceptual": image_distance(model, output, x),
        }
        pixels, distance = weights_of(model, self.name)
        reconstruction = pixels * terms["l1"] + distance * terms["perceptual"]
        adversary = Adversary.of(model, self.name, batch.progress)
        against = adversary.play(output, x, reconstruction, vqgan.decoder.conv_out.weight)
        usage = sum_over_ranks(uses(quantised.indices.flatten(), config.codes))
        terms |= {
            "codebook": quantised.loss,
            "perplexity": perplexity(usage),
            "codes_used": (usage > 0).sum().float(),
            **against.scalars,
        }
        total = reconstruction + against.generator + quantised.loss
        scalars = {name: value.detach() for name, value in terms.items()}
        return StepResult({"autoencoder": total, **against.losses}, scalars)

    def _quantised(
        self, model: LatentCodes, x: Tensor, batch: Batch, step: int, noise: Noise
    ) -> Quantised:
        """Return the codes of x; before an averaged codebook starts, the features themselves."""
        codebook, z = model.vqgan.quantize, model.vqgan.encode(x)
        if not codebook.averaged or z.is_meta:  # a plan has no values to follow
            return cast(Quantised, codebook(z))
        if batch.progress < model.config.unquantised:
            features = codebook.features(z)
            return Quantised(features, codebook.nearest(z), features.new_zeros(()))
        if not codebook.ready:
            codebook.start(z, noise.seed)
        quantised = cast(Quantised, codebook(z))
        revive = batch.progress < REVIVE_UNTIL
        codebook.follow(z, quantised.indices, step, noise.seed, revive)
        return quantised

    def validate(self, model: LatentCodes, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return the errors of the reconstruction: mean absolute, in [-1, 1], and PSNR in dB."""
        x, visible = at_side(batch.image, batch.visible, model.config.coarse_side)
        output = model.vqgan(x)[0].float().clamp(-1, 1)
        everything = torch.ones_like(visible)
        square = mean_per_image((output - x).square(), everything)
        figures = {
            "l1": mean_per_image((output - x).abs(), everything),
            "psnr": 10 * torch.log10(4 / square.clamp_min(1e-10)),
        }
        if model.perceptual is not None:
            distance = model.perceptual(output, x).double()
            # The figure that is minimised: what the eye sees of both errors.
            figures = {"l1+perceptual": figures["l1"] + distance, **figures}
        return figures

    def pictures(self, model: LatentCodes, batch: Batch, noise: Noise) -> Tensor:
        """Return the reconstruction."""
        x, _ = at_side(batch.image, batch.visible, model.config.coarse_side)
        output: Tensor = model.vqgan(x)[0]
        return from_unit(output)


class EncoderStage(Stage[LatentCodes]):
    """The restrictive encoder: tokens of what is visible, from what is visible alone."""

    name = "encoder"
    needs = ("vqgan",)

    def begin(self, model: LatentCodes) -> None:
        """Start all but the released form from the VQGAN's encoder, whose tokens it learns."""
        if model.config.restrictive != "released":
            starts.encoder_from_vqgan(model)

    def trainable(self, model: LatentCodes) -> list[ParameterGroup]:
        """Return the restrictive encoder."""
        return [group("encoder", model.encoder)]

    def loss(self, model: LatentCodes, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the cross entropy at the visible tokens (eq. 5)."""
        entropy, right, known = self._guess(model, batch)
        loss = masked_mean(entropy, known)
        accuracy = masked_mean(right.float(), known)
        return StepResult({"encoder": loss}, {"ce": loss.detach(), "accuracy": accuracy})

    def _guess(self, model: LatentCodes, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return cross entropies, whether the guess is right, and the known tokens, [N, h, w]."""
        x, visible = at_side(batch.image, batch.visible, model.config.coarse_side)
        target = model.vqgan.tokens(x)
        logits, known = model.encoder(x, visible)
        entropy = F.cross_entropy(logits.float(), target, reduction="none")
        return entropy, logits.argmax(1) == target, known[:, 0]

    def validate(self, model: LatentCodes, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return the cross entropy in nats and the share of right tokens, all and at holes."""
        entropy, right, known = self._guess(model, batch)
        border = known & (F.max_pool2d((~known).float()[:, None], 3, 1, 1)[:, 0] > 0)
        return {
            "nats_per_token": mean_per_image(entropy, known),
            "accuracy": mean_per_image(right.float(), known),
            "border_accuracy": mean_per_image(right.float(), border),
        }

    def pictures(self, model: LatentCodes, batch: Batch, noise: Noise) -> Tensor:
        """Return what the VQGAN makes of the guesses, with the true tokens where none is known."""
        x, visible = at_side(batch.image, batch.visible, model.config.coarse_side)
        logits, known = model.encoder(x, visible)
        return decoded(model, torch.where(known[:, 0], logits.argmax(1), model.vqgan.tokens(x)))


class TransformerStage(Stage[LatentCodes]):
    """The bidirectional transformer: the codes of missing tokens, from the known ones."""

    name = "transformer"
    needs = ("vqgan",)

    def begin(self, model: LatentCodes) -> None:
        """Start the token embeddings of our own presets from the code vectors."""
        if model.config.codebook == "averaged":
            starts.transformer_from_codes(model)

    def trainable(self, model: LatentCodes) -> list[ParameterGroup]:
        """Return the transformer; only the weights of its dense layers decay (as in minGPT)."""
        dense = (m.weight for m in model.transformer.modules() if isinstance(m, nn.Linear))
        decayed = {id(weight) for weight in dense}
        every = list(model.transformer.parameters())
        spared = [parameter for parameter in every if id(parameter) not in decayed]
        return [ParameterGroup("transformer", every, undecayed=spared)]

    def loss(self, model: LatentCodes, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the cross entropy at the missing tokens (section 3.2)."""
        config = model.config
        tokens, known = self._tokens(model, batch)
        draws = noise.uniform(3, tokens.shape[1] + 1).to(tokens.device)
        known = _known(known, draws[:, :2], mixed=config.token_masks == "mixed")
        wrong = draws[:, 2, 1:] < config.token_noise
        others = (draws[:, 2, 1:] / max(config.token_noise, 1e-9) * config.codes).long()
        logits = model.transformer(torch.where(wrong & known, others, tokens), known).float()
        entropy = F.cross_entropy(
            logits.transpose(1, 2),
            tokens,
            reduction="none",
            label_smoothing=config.label_smoothing,
        )
        loss = masked_mean(entropy, ~known)
        right = (logits.argmax(-1) == tokens).float()
        scalars = {"ce": loss.detach(), "accuracy": masked_mean(right, ~known)}
        return StepResult({"transformer": loss}, scalars)

    def _tokens(self, model: LatentCodes, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the codes int64 [N, L] of whole images, and which the drawn masks leave known."""
        config = model.config
        x, visible = at_side(batch.image, batch.visible, config.coarse_side)
        known = token_mask(visible, config.factor, config.alpha)
        return model.vqgan.tokens(x).flatten(1), known.flatten(1)

    def validate(self, model: LatentCodes, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return the cross entropy in nats, and the share of right guesses, at missing tokens."""
        tokens, known = self._tokens(model, batch)
        logits = model.transformer(tokens, known).float()
        entropy = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        right = (logits.argmax(-1) == tokens).float()
        return {
            "nats_per_token": mean_per_image(entropy, ~known),
            "accuracy": mean_per_image(right, ~known),
        }

    def pictures(self, model: LatentCodes, batch: Batch, noise: Noise) -> Tensor:
        """Return what the VQGAN makes of drawn tokens beside the true ones that are known."""
        config, n = model.config, len(noise)
        tokens, known = (x.expand(n, -1) for x in self._tokens(model, batch))
        gumbel, how = gumbel_of(noise, tokens.device), Drawing.usual(config)
        drawn = draw_tokens(model.transformer, tokens, known, gumbel, how)
        return decoded(model, drawn.view(n, config.grid, config.grid))


def _known(drawn: Tensor, draws: Tensor, mixed: bool) -> Tensor:
    """Return the tokens bool [N, L] that stay known in training; draws: uniform [N, 2, 1 + L].

    mixed: half of the images keep what the drawn mask leaves, the others hide a share
    cos(pi u / 2). Otherwise: a share between 15 and 75 %, of each image by itself.
    """
    u = draws[:, 0, :1]
    share = torch.cos(0.5 * math.pi * u) if mixed else 0.15 + 0.6 * u
    scattered = draws[:, 0, 1:] >= share
    return torch.where(draws[:, 1, :1] < 0.5, drawn, scattered) if mixed else scattered


class DecoderStage(Stage[LatentCodes]):
    """Partial encoder and generator, with the refinement: tokens and pixels to an image."""

    name = "decoder"
    needs = ("vqgan",)

    def begin(self, model: LatentCodes) -> None:
        """Start the generator from the VQGAN's decoder."""
        starts.decoder_from_vqgan(model)

    def trainable(self, model: LatentCodes) -> list[ParameterGroup]:
        """Return both networks (and the refinement) as one group, and their discriminators."""
        rivals = [rival for name in ("decoder", "refinement") for rival in opponents(model, name)]
        return [group("generator", model.decoder, model.refinement), *rivals]

    def loss(self, model: LatentCodes, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return pixel, perceptual and adversarial terms of the composite (eq. 9 to 12)."""
        x, visible = at_side(batch.image, batch.visible, model.config.coarse_side)
        tokens = model.vqgan.tokens(x).flatten(1)
        draws = noise.uniform(tokens.shape[1]).to(tokens.device)
        others = (draws / WRONG_CODES * model.config.codes).long()
        tokens = torch.where(draws < WRONG_CODES, others, tokens)
        output = self._output(model, x, visible, tokens)
        last = model.decoder.decoder.conv_out.weight
        total, groups, scalars = self._terms(
            model, self.name, (x, visible, output), last, batch, step
        )
        if model.refinement is not None:
            whole = to_unit(batch.image)
            finer = model.refinement(composite(x, visible, output)).float()
            last = model.refinement.decoder.conv_out.weight
            seen = (whole, batch.visible, finer)
            more, rivals, values = self._terms(model, "refinement", seen, last, batch, step)
            total, groups, scalars = total + more, groups | rivals, scalars | values
        return StepResult({"generator": total, **groups}, scalars)

    def _output(self, model: LatentCodes, x: Tensor, visible: Tensor, tokens: Tensor) -> Tensor:
        """Return the generator's raw image [N, C, H, W] for codes int64 [N, L]."""
        known = token_mask(visible, model.config.factor, model.config.alpha)
        output: Tensor = model.decoder(x, visible, model.code_vectors(tokens), known)
        return output.float()

    def _terms(
        self,
        model: LatentCodes,
        name: str,
        images: tuple[Tensor, Tensor, Tensor],
        last: Tensor,
        batch: Batch,
        step: int,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Return the loss of one network's output, its rival's losses, and figures to log."""
        config = model.config
        x, visible, output = images
        whole = composite(x, visible, output)
        pixels, distance = weights_of(model, name)
        if config.raw_loss:
            l1 = (losses.border_weights(visible) * (output - x).abs()).mean()
        else:
            l1 = F.l1_loss(whole, x)
        terms = {"l1": l1, "perceptual": image_distance(model, whole, x)}
        reconstruction = pixels * l1 + distance * terms["perceptual"]
        if model.perceptual is None:
            terms["features"] = 0.5 * losses.feature_distance(
                model.vqgan.encoder.levels(whole), model.vqgan.encoder.levels(x)
            )
            reconstruction = reconstruction + terms["features"]
        mask = visible.to(x.dtype) - 0.5
        adversary = Adversary.of(model, name, batch.progress)
        against = adversary.play(whole, x, reconstruction, last, mask, step % R1_EVERY == 0)
        scalars = {f"{name}/{key}": value.detach() for key, value in terms.items()}
        return (
            reconstruction + against.generator,
            dict(against.losses),
            scalars | dict(against.scalars),
        )

    def validate(self, model: LatentCodes, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return the mean absolute error at hidden pixels, in [-1, 1], with the true codes.

        Where a perceptual distance was chosen, that of the composite comes on top and first.
        """
        x, visible = at_side(batch.image, batch.visible, model.config.coarse_side)
        output = self._output(model, x, visible, model.vqgan.tokens(x).flatten(1))
        figures = {"l1_hidden": mean_per_image((output - x).abs(), ~visible)}
        if model.perceptual is not None:
            distance = model.perceptual(composite(x, visible, output).clamp(-1, 1), x).double()
            figures = {"l1+perceptual": figures["l1_hidden"].nan_to_num(0.0) + distance, **figures}
        return figures


STAGES = (VQGANStage(), EncoderStage(), TransformerStage(), DecoderStage())
