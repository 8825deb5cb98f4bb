"""Config of the hierarchical VAEs: block strings, widths, and what the objectives may choose.

Child 2021 (VD-VAE), Harvey et al. 2022 (IPA, IPA-R), Harvey et al. 2021 (AIPO, AIPO-R).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from inpaint_cli.bounds import CHANNELS, POSITIVE, STEPS, Between
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config

MOST_BLOCKS = 1000
"""A block string describes no more than this; the largest published one has 78."""


class BlockPlace(NamedTuple):
    """One block of a block string."""

    res: int
    """Side of its feature maps (those that enter it, in the encoder)."""
    down: int = 1
    """Factor by which the encoder pools after this block."""
    mixin: int = 0
    """Resolution from which the decoder adds an enlarged state before this block; 0 = none."""


@dataclass(frozen=True, kw_only=True)
class VaeConfig(Config):
    """One VD-VAE with its partial encoder; names of settings follow the authors' where they can."""

    width: Annotated[int, CHANNELS]
    """Channels of the feature maps, also of the input convolution and the output."""
    custom_widths: str = ""
    """Other widths: "RES:WIDTH,...", as the authors' custom_width_str."""
    bottleneck: Annotated[float, Between(0, 1, above=True)] = 0.25
    """Width inside a block over its outer width."""
    zdim: Annotated[int, CHANNELS]
    """Channels of each group of latents."""
    enc_blocks: str
    """Encoder, fine to coarse: "RxN" = N blocks at side R, "RdK" = a block, then pooling by K."""
    dec_blocks: str
    """Decoder, coarse to fine: "RxN" = N blocks at side R, "RmS" = a block at side R after the
    state at side S was added, enlarged."""
    no_bias_above: Annotated[int, Between(0, 16384)] = 64
    """Learnt bias images start the decoder at sides up to this one."""
    mixtures: Annotated[int, Between(1, 1000)] = 10
    """Logistics in each pixel's mixture."""
    likelihood: Literal["8-bit", "5-bit", "5-bit-published"] = "8-bit"
    """5-bit: levels k/31; 5-bit-published: the levels of the published FFHQ-256 model, whose bins
    overlap a little, so that its masses do not add up to 1."""
    shift: Annotated[float, Between(-(10**6), 10**6)]
    """The networks see (x + shift) * scale, x in 0..255."""
    scale: Annotated[float, POSITIVE]
    condition: Literal["mask", "edges"] = "mask"
    """What the partial encoder sees: mask: the visible pixels and the mask; edges: an edge image,
    the left half of a picture twice as wide as high whose right half is the photo."""
    objective: Literal["forward", "reverse"] = "forward"
    """forward: mass covering (IPA, AIPO); reverse: mode seeking (IPA-R, AIPO-R)."""
    predicted: Literal["hidden", "whole"] = "hidden"
    """Pixels whose likelihood the forward bound counts: hidden (IPA) or whole (AIPO)."""
    trained: Literal["partial-encoder", "likelihood-head", "all"] = "partial-encoder"
    """What `partial-encoder` trains; the rest stays frozen."""
    start: Literal["random", "mostly", "encoder"] = "random"
    """Where the partial encoder starts: encoder: from the full one and its heads (IPA-R); mostly:
    with random heads."""
    annealing: Annotated[tuple[float, float, float], STEPS] = (0.0, 1.0, 1.0)
    """(n, s0, s1) of the reverse objective: the weight of the likelihood goes from s0 to s1,
    geometrically, over n steps."""
    share_encoders: bool = False
    """From scratch with one encoder: that of the partial encoder, which sees whole images with a
    mask of ones; the heads stay two."""
    noisy_kl: bool = False
    """Uses sampled instead of analytic divergences of the layers; worse."""
    masks_per_image: Annotated[int, Between(1, 4096)] = 1
    """Masks that share one pass of a frozen VAE in a training step."""
    recompute: bool = False
    """The backward pass computes each block again instead of keeping what is inside: less memory,
    more time."""
    vae: str = ""
    """A trained VAE to stand on, a weight file of inpaint; empty = what the stage `vae` trains."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.levels != 256:
            raise UserError(
                f"levels: must be 256, got {self.levels}; 'likelihood' says how fine the bins are."
            )
        if self.size < 1:
            raise UserError("size: must be at least 1.")
        if self.objective == "reverse" and self.condition == "edges":
            raise UserError("objective: reverse needs a mask; edges have no likelihood.")
        if min(self.annealing[1:]) <= 0:
            raise UserError("annealing: takes a number of steps and two positive weights.")
        _check_sharing(self)
        _check_encoder(self)
        _check_decoder(self)
        _check_widths(self)

    @cached_property
    def encoder_places(self) -> tuple[BlockPlace, ...]:
        """The encoder's blocks, fine to coarse."""
        return parse_blocks(self.enc_blocks, "enc_blocks")

    @cached_property
    def decoder_places(self) -> tuple[BlockPlace, ...]:
        """The decoder's blocks, coarse to fine; one group of latents each."""
        return parse_blocks(self.dec_blocks, "dec_blocks")

    @cached_property
    def widths(self) -> dict[int, int]:
        """The widths of resolutions that have one of their own."""
        pairs = [part.split(":") for part in self.custom_widths.split(",") if part.strip()]
        try:
            return {int(res): int(width) for res, width in pairs}
        except ValueError:
            raise UserError(
                f"custom_widths: must be RES:WIDTH,..., got '{self.custom_widths}'."
            ) from None

    def width_at(self, res: int) -> int:
        """Return the channels of feature maps of side `res`."""
        return self.widths.get(res, self.width)

    def middle_at(self, res: int) -> int:
        """Return the channels inside the blocks at side `res`."""
        return int(self.width_at(res) * self.bottleneck)

    @property
    def partial_channels(self) -> int:
        """The input channels of the partial encoder."""
        return self.channels + (self.condition == "mask")

    @property
    def output_channels(self) -> int:
        """The numbers per pixel that describe its mixture of logistics."""
        return self.mixtures * (10 if self.channels == 3 else 3)

    @property
    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """The shapes [zdim, side, side] of the groups of latents, coarse to fine."""
        return [(self.zdim, place.res, place.res) for place in self.decoder_places]


def parse_blocks(text: str, where: str) -> tuple[BlockPlace, ...]:
    """Read a block string of the authors.

    >>> [tuple(place) for place in parse_blocks("4x2,4d4,1", "enc_blocks")]
    [(4, 1, 0), (4, 1, 0), (4, 4, 0), (1, 1, 0)]
    """
    places: list[BlockPlace] = []
    for item in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d{0,4})(?:([xdm])([1-9]\d{0,4}))?\s*", item)
        if not match:
            raise UserError(f"{where}: '{item}' is none of RxN, RdK, RmS and R.")
        res, kind, number = int(match[1]), match[2], int(match[3] or 1)
        if kind == "d":
            places.append(BlockPlace(res, down=number))
        elif kind == "m":
            places.append(BlockPlace(res, mixin=number))
        else:
            places += [BlockPlace(res)] * number
    if len(places) > MOST_BLOCKS:
        raise UserError(f"{where}: {len(places)} blocks, where {MOST_BLOCKS} are the most.")
    return tuple(places)


def _check_sharing(config: VaeConfig) -> None:
    """An encoder that is shared is trained with its VAE, and tells its two roles by the mask."""
    needed = {"trained": "all", "objective": "forward", "condition": "mask", "start": "random"}
    differing = [f"{n}={getattr(config, n)}" for n in needed if getattr(config, n) != needed[n]]
    differing += [f"vae={config.vae}"] if config.vae else []
    if config.share_encoders and differing:
        wanted = ", ".join(f"{name}={value}" for name, value in needed.items())
        raise UserError(
            f"share_encoders: is trained from scratch: needs {wanted} and no vae, got "
            f"{', '.join(differing)}."
        )


def _check_encoder(config: VaeConfig) -> None:
    """Follow the encoder down from the image: each block must find the side it says."""
    side = config.size
    for place in config.encoder_places:
        if place.mixin:
            raise UserError(f"enc_blocks: {place.res}m{place.mixin} belongs in dec_blocks.")
        if place.res != side:
            raise UserError(f"enc_blocks: a block at {place.res} where the side is {side}.")
        if side % place.down:
            raise UserError(f"enc_blocks: {place.res}d{place.down} leaves no whole side.")
        side //= place.down


def _check_decoder(config: VaeConfig) -> None:
    """Follow the decoder up to the image."""
    produced = {place.res // place.down for place in config.encoder_places} | {config.size}
    seen: set[int] = set()
    for place in config.decoder_places:
        if place.down > 1:
            raise UserError(f"dec_blocks: {place.res}d{place.down} belongs in enc_blocks.")
        if place.res not in produced:
            raise UserError(f"dec_blocks: the encoder produces nothing at side {place.res}.")
        if place.mixin:
            if place.res in seen or place.mixin not in seen or place.res % place.mixin:
                raise UserError(
                    f"dec_blocks: {place.res}m{place.mixin} must be the first at {place.res}, come "
                    f"after {place.mixin}, and be a multiple of it."
                )
        elif seen and place.res not in seen:
            raise UserError(f"dec_blocks: side {place.res} is used before its mixin.")
        seen.add(place.res)
    if config.decoder_places[-1].res != config.size:
        raise UserError(f"dec_blocks: must end at the image's side, {config.size}.")


def _check_widths(config: VaeConfig) -> None:
    """Channels are padded on the way down and cut on the way up: coarser must not be narrower."""
    if config.width_at(config.size) != config.width:
        raise UserError(
            f"custom_widths: {config.width_at(config.size)} at the image's side, where it must be "
            f"the width, {config.width}."
        )
    sides = sorted({place.res // place.down for place in config.encoder_places} | {config.size})
    for coarse, fine in pairwise(sides):
        if config.width_at(coarse) < config.width_at(fine):
            raise UserError(f"custom_widths: side {coarse} is narrower than side {fine}.")
    if min(config.middle_at(side) for side in sides) < 1:
        raise UserError("bottleneck: leaves no channel inside the blocks.")
