"""Config and presets of the latent codes (Chen & Zhao 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from inpaint_cli.bounds import CHANNELS, NOT_NEGATIVE, PART, SHARE, Between
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Training

TokenOrder = Literal["confidence", "sampled", "spread"]
"""Which tokens are drawn first, and together (`token_sampling.Drawing`)."""

GROUPS = 32
"""Groups of every normalisation of the authors' networks, and of a few more."""


@dataclass(frozen=True, kw_only=True)
class LatentConfig(Config):
    """One model: VQGAN, restrictive encoder, transformer, partial encoder and generator."""

    width: Annotated[int, CHANNELS]
    """Channels of the finest level of the convolutional networks."""
    multipliers: Annotated[tuple[int, ...], Between(1, 1024)]
    """Channels of each level over `width`, from fine to coarse; each halves the side."""
    blocks: Annotated[int, Between(1, 256)]
    """Residual blocks of a level of an encoder; a decoder has one more."""
    norm_groups: Annotated[int, Between(1, 1024)] = GROUPS
    """Groups of every normalisation; 4 channels a group, as the authors' networks have, keep how
    bright a plain picture is, which one channel a group takes away."""
    attention: Annotated[tuple[int, ...], Between(1, 16384)]
    """Sides of the feature maps that have attention, at the side `coarse_size`."""
    latent_channels: Annotated[int, CHANNELS]
    """Channels of the coarsest feature map."""
    embed_dim: Annotated[int, CHANNELS]
    """Length of a code vector."""
    codes: Annotated[int, Between(1, 2**20)]
    """Codes in the codebook."""
    codebook: Literal["averaged", "gradient"] = "averaged"
    """averaged: normalised codes that follow moving averages, with a k-means start and revival of
    dead codes (ours); gradient: as published."""
    token_width: Annotated[int, CHANNELS]
    """Width of the transformer."""
    token_layers: Annotated[int, Between(1, 1000)]
    token_heads: Annotated[int, Between(1, 1024)]
    dropout: Annotated[float, PART] = 0.1
    """Of the transformer: on embeddings, residual branches and attention."""
    restrictive: Literal["strict", "released", "literal", "off"] = "strict"
    """Form of the restrictive encoder: `released` as in the authors' code; `strict` with nothing
    hidden taking part anywhere; `literal` the same with equation 3 as printed; `off`: plain
    convolutions, to compare."""
    alpha: float = 0.5
    """A 2x2 block of the mask stays visible if at least this share of it is (eq. 4)."""
    partial: bool = False
    """The partial encoder of the last stage uses partial convolutions (the paper's text); False: a
    plain one that sees the mask (every released file)."""
    partial_form: Literal["released", "literal"] = "released"
    """Of these partial convolutions: as in the authors' code, or equation 1 as printed."""
    coarse_size: Annotated[int, Between(0, 16384)] = 0
    """Side at which everything but the refinement works; 0 = `size`."""
    refinement: bool = False
    """Has the refinement network of the released pipelines, trained together with `decoder`."""
    refinement_multipliers: Annotated[tuple[int, ...], Between(1, 1024)] = ()
    """Levels of the refinement's decoder, where it enlarges; () = `multipliers`."""
    adversary: Literal["patch", "projected"] = "patch"
    """Discriminator of `decoder` and its refinement: of patches, or heads on frozen features of the
    perceptual distance (Sauer et al. 2021), which then must be given."""
    disc_width: Annotated[int, Between(0, 16384)] = 64
    """Channels of the first layer of the patch discriminators, and of the heads of projected ones;
    0 = trained without discriminators."""
    disc_layers: Annotated[int, Between(0, 14)] = 3
    """Layers of the patch discriminators that halve the side."""
    disc_norm: Literal["batch", "group"] = "group"
    disc_start: Annotated[tuple[float, float], SHARE] = (0.4, 0.3)
    """Share of the stage's steps after which the discriminator joins: `vqgan`, `decoder`."""
    disc_weight: Annotated[tuple[float, float], NOT_NEGATIVE] = (0.8, 1.0)
    """Weight of the adversarial term over the adaptive one: `vqgan`, `decoder`."""
    disc_limit: Annotated[float, NOT_NEGATIVE] = 0.5
    """The adaptive weight never exceeds this; 1e4 in the authors' code."""
    r1_weight: Annotated[float, NOT_NEGATIVE] = 0.1
    """Weight of half the squared gradient of the discriminator at real images, in `decoder`."""
    pixel_weight: Annotated[tuple[float, float], NOT_NEGATIVE] = (1.0, 1.0)
    """Weight of the mean absolute error: `vqgan`, `decoder`."""
    perceptual_weight: Annotated[tuple[float, float], NOT_NEGATIVE] = (1.0, 0.1)
    """Weight of the perceptual distance: `vqgan`, `decoder`."""
    raw_loss: bool = True
    """The pixel loss of `decoder` looks at the raw output, most near holes, so that no frame shows;
    False: at the composite, as published."""
    token_masks: Literal["mixed", "uniform"] = "mixed"
    """What `transformer` learns to fill: mixed: half drawn masks, half a share cos(pi u / 2) of the
    tokens (MaskGIT); uniform: a share between 15 and 75 %, as published."""
    token_noise: Annotated[float, SHARE] = 0.1
    """Share of the known tokens that are replaced at random when `transformer` is trained."""
    label_smoothing: Annotated[float, PART] = 0.1
    """Of the loss of `transformer`."""
    unquantised: Annotated[float, PART] = 0.1
    """Share of the steps of `vqgan` before the codebook starts, by k-means; `averaged` only."""
    sampling_steps: Annotated[int, Between(1, 10**6)] = 5
    """Transformer steps of a completion."""
    temperature: Annotated[float, NOT_NEGATIVE] = 1.0
    annealing: Annotated[float, Between(0, 1.0, above=True)] = 0.9
    """The temperature is multiplied by this after each step."""
    order: TokenOrder = "confidence"
    """In which completions draw their tokens."""
    completion_only: bool = False
    """Holds what completing needs and no more: no networks of the VQGAN, no discriminators. So
    latent-codes-photos64 shipped once; what ships now holds every network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sides()
        if self.width % self.norm_groups:
            raise UserError(
                f"width: must be a multiple of norm_groups {self.norm_groups}, got {self.width}."
            )
        if self.token_width % self.token_heads:
            raise UserError(
                f"token_heads: {self.token_heads} does not divide token_width {self.token_width}."
            )
        # Its last two convolutions of 4 x 4, padded by 1, each take a row and a column away.
        left = self.coarse_side >> max(self.disc_layers, 1)
        if self.disc_width and left < (3 if self.disc_layers else 2):
            raise UserError(
                f"disc_layers: {self.disc_layers} leave nothing of {self.coarse_side} pixels."
            )
        if self.alpha not in (0.25, 0.5, 0.75, 1.0):
            raise UserError(f"alpha: must be 0.25, 0.5, 0.75 or 1, got {self.alpha}.")

    def _check_sides(self) -> None:
        if not 1 <= len(self.multipliers) <= 14 or len(self.refinement_multipliers) > 14:
            raise UserError("multipliers: needs one to 14 levels.")
        if self.size < 1 or self.coarse_side % self.factor or self.grid < 1:
            raise UserError(f"size: must be a multiple of {self.factor}, got {self.size}.")
        if self.size % self.coarse_side or (self.size != self.coarse_side and not self.refinement):
            raise UserError(
                f"coarse_size: {self.coarse_size} must divide size {self.size}, and only a "
                "refinement network leads from one to the other."
            )

    @property
    def takes_perceptual(self) -> bool:
        """True: of the pictures of two stages."""
        return True

    @property
    def coarse_side(self) -> int:
        """The side at which everything but the refinement works."""
        return self.coarse_size or self.size

    @property
    def factor(self) -> int:
        """How many pixels a token is wide, at `coarse_side`."""
        return 1 << (len(self.multipliers) - 1)

    @property
    def grid(self) -> int:
        """The tokens along a side."""
        return self.coarse_side // self.factor


_OURS = Training(
    batch_size=32,
    steps=6000,
    lr=2e-4,
    optimiser="adam",
    betas=(0.9, 0.99),
    schedule="cosine",
    warmup_steps=200,
    clip_norm=1.0,
    ema_decay=0.999,
    masks="freeform-scaled@mixture",
    augment="crop",
    validate_every=1000,
    validate_images=256,
    checkpoint_every=500,
)
_OURS_TRANSFORMER = replace(_OURS, optimiser="adamw", weight_decay=0.05, lr=4e-4)


def _ours(**changes: object) -> dict[str, Training]:
    """Return how the stages of our own presets are trained."""
    stages = {"vqgan": _OURS, "encoder": _OURS, "transformer": _OURS_TRANSFORMER, "decoder": _OURS}
    return {name: replace(training, **changes) for name, training in stages.items()}  # type: ignore[arg-type]


_DIGITS = LatentConfig(
    size=8,
    channels=1,
    levels=16,
    width=32,
    multipliers=(1, 2),
    blocks=1,
    attention=(4,),
    latent_channels=32,
    embed_dim=16,
    codes=64,
    token_width=64,
    token_layers=2,
    token_heads=4,
    disc_width=32,
    disc_layers=1,
    disc_start=(0.0, 0.0),
    training=_ours(
        batch_size=64,
        steps=400,
        lr=1e-3,
        warmup_steps=20,
        ema_decay=0.99,
        augment="none",
        masks="freeform-scaled",
        validate_every=200,
        checkpoint_every=200,
    ),
)

_TINY32 = LatentConfig(
    size=32,
    channels=3,
    levels=256,
    width=32,
    multipliers=(1, 1, 2),
    blocks=1,
    norm_groups=8,
    attention=(8,),
    latent_channels=64,
    embed_dim=32,
    codes=256,
    token_width=256,
    token_layers=6,
    token_heads=8,
    disc_width=32,
    disc_layers=2,
    training=_ours(steps=3000, lr=4e-4),
)

_SMALL64 = LatentConfig(
    size=64,
    channels=3,
    levels=256,
    width=32,
    multipliers=(1, 1, 2, 4),
    blocks=1,
    norm_groups=8,
    attention=(8,),
    latent_channels=128,
    embed_dim=32,
    codes=512,
    token_width=256,
    token_layers=8,
    token_heads=8,
    # So short a training does not come to overfit.
    dropout=0.0,
    token_noise=0.05,
    label_smoothing=0.0,
    disc_width=32,
    disc_start=(1.0, 0.4),
    training={
        "vqgan": replace(_OURS, batch_size=16, steps=3600, lr=4e-4, ema_decay=0.998),
        "encoder": replace(_OURS, batch_size=16, steps=500, warmup_steps=50, ema_decay=0.99),
        "transformer": replace(_OURS_TRANSFORMER, steps=5500),
        "decoder": replace(_OURS, batch_size=16, steps=1400, ema_decay=0.998),
    },
)
"""latent-codes-photos64, which ships, is one; its card says how it was trained."""

_SMALL64_F4 = replace(
    _SMALL64,
    multipliers=(1, 2, 4),
    attention=(16,),
    codes=1024,
    # With 16 x 16 tokens the paper's half would leave most of a thin hole to the decoder alone.
    alpha=1.0,
    # What is drawn tells more of the truth so; docs/latent-codes.md has the figures.
    annealing=1.0,
    order="spread",
    training={
        "vqgan": replace(_OURS, batch_size=16, steps=3000, lr=4e-4, ema_decay=0.998),
        "encoder": replace(_OURS, batch_size=16, steps=800, warmup_steps=50, ema_decay=0.99),
        "transformer": replace(_OURS_TRANSFORMER, batch_size=16, steps=8000),
        "decoder": replace(_OURS, batch_size=16, steps=1800, ema_decay=0.998),
    },
)
"""Four times as many tokens as small64, each of 4 x 4 pixels, known if all of them are visible."""

_PHOTO64 = replace(
    _SMALL64,
    width=64,
    multipliers=(1, 1, 2, 2),
    blocks=2,
    norm_groups=16,
    token_width=384,
    token_heads=6,
    dropout=0.1,
    token_noise=0.1,
    label_smoothing=0.1,
    disc_width=64,
    disc_start=(0.4, 0.3),
    training=_ours(batch_size=128, steps=20_000, lr=4e-4, warmup_steps=500),
)

_PHOTO128 = replace(_PHOTO64, size=128, attention=(16,))

_PLACES256 = LatentConfig(
    size=256,
    channels=3,
    levels=256,
    width=128,
    multipliers=(1, 1, 2, 2, 4),
    blocks=2,
    attention=(16,),
    latent_channels=256,
    embed_dim=256,
    codes=1024,
    codebook="gradient",
    token_width=1408,
    token_layers=40,
    token_heads=16,
    restrictive="released",
    refinement=True,
    disc_norm="batch",
    # After 50 000 and 60 000 steps on the 1.8 million images of Places.
    disc_start=(0.014, 0.01),
    disc_limit=1e4,
    # The code weighs the squared gradient by 1, not its half.
    r1_weight=2.0,
    pixel_weight=(1.0, 0.0),
    perceptual_weight=(1.0, 0.1),
    raw_loss=False,
    token_masks="uniform",
    token_noise=0.0,
    label_smoothing=0.0,
    unquantised=0.0,
    training={
        "vqgan": Training(
            batch_size=10, epochs=20, lr=4.5e-5, betas=(0.5, 0.9), masks="nothing", augment="crop"
        ),
        "encoder": Training(
            batch_size=16,
            epochs=20,
            lr=7.2e-5,
            betas=(0.9, 0.95),
            masks="freeform-large",
            augment="crop",
        ),
        "transformer": Training(
            batch_size=12,
            epochs=20,
            lr=5.4e-5,
            optimiser="adamw",
            betas=(0.9, 0.95),
            weight_decay=0.01,
            masks="freeform-large",
            augment="crop",
        ),
        "decoder": Training(
            batch_size=6,
            epochs=20,
            lr=2.7e-5,
            betas=(0.5, 0.9),
            masks="freeform-large",
            augment="crop",
        ),
    },
)
"""The authors' configs on one GPU: their rate is 4.5e-6 times the images of a step."""

PRESETS = {
    "digits": _DIGITS,
    "tiny32": _TINY32,
    "small64": _SMALL64,
    "small64-f4": _SMALL64_F4,
    "photo64": _PHOTO64,
    "photo64-wide": replace(_PHOTO64, multipliers=(1, 2, 2, 4)),
    "photo128": _PHOTO128,
    "photo128-f16": replace(
        _PHOTO128, multipliers=(1, 1, 2, 2, 4), attention=(8,), latent_channels=256
    ),
    "places256": _PLACES256,
    "celeba256": replace(
        _PLACES256,
        # The same steps on the 24 183 images of CelebA-HQ.
        disc_start=(0.103, 0.074),
        training={n: replace(t, epochs=200) for n, t in _PLACES256.training.items()},
    ),
    "places512": replace(
        _PLACES256,
        size=512,
        coarse_size=256,
        refinement_multipliers=(1, 1, 1, 2, 2, 4),
        disc_start=(0.014, 0.0067),
        training={
            **_PLACES256.training,
            "decoder": replace(_PLACES256.training["decoder"], batch_size=4, lr=1.8e-5),
        },
    ),
}
"""places256, celeba256 and places512 are the authors'; the others are ours, for small data."""
