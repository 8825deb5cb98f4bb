"""Config and presets of the mixture of primitives (PICME, Xia et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from inpaint_cli.bounds import CHANNELS, NOT_NEGATIVE, PART, STEPS, Between
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Training


@dataclass(frozen=True, kw_only=True)
class MixtureConfig(Config):
    """One PICME: encoder f with the mixture head, decoder g, two discriminators."""

    layers: Annotated[int, Between(2, 14)]
    """Blocks of f that halve the side, and blocks of g that double it."""
    width: Annotated[int, CHANNELS]
    """Channels of the finest features; they double at each block up to `widest`."""
    widest: Annotated[int, Between(4, 16384)]
    latent_channels: Annotated[int, CHANNELS]
    """Channels of z_c, which has the side of the coarsest features."""
    infer_blocks: Annotated[int, Between(0, 256)] = 6
    """Residual blocks between the features of the visible part and the mixture (PIC)."""
    primitives: Annotated[int, Between(1, 4096)] = 6
    """Components k of the mixture; 1 is the unimodal baseline (PIC's inference)."""
    attention: Annotated[int, Between(0, 14)] = 1
    """The block of g after which it attends, from 0 (PIC: 1)."""
    disc_layers: Annotated[int, Between(0, 14)] = 5
    """Blocks of each discriminator that halve the side; 0 = trained without discriminators."""
    adversary: Literal["patch", "projected"] = "patch"
    """Discriminators of patches (PIC's), or heads on frozen features of a perceptual distance
    (Sauer et al. 2021), which then must be given."""
    upsampling: Literal["transposed", "interpolated"] = "transposed"
    """transposed: PIC's code; interpolated: the paper's text, pixels repeated and convolved."""
    join: Literal["sum", "concatenated"] = "sum"
    """How g takes z_m and z_c together: PIC's sum, or side by side (the paper's "splice")."""
    weight_floor: Annotated[float, PART] = 0.01
    """Share of the weight that all components get alike, so that none stops learning."""
    sigma_clamp: Annotated[tuple[float, ...], Between(-100, 100)] = (-4.0, 2.0)
    """Range of log sigma of components and posterior; () = none (PIC)."""
    divergence: Literal["exact", "literal"] = "exact"
    """L_BM: the KL divergence, or eq. 5 as printed, which has no lower bound (for study)."""
    divergence_order: Literal["component", "posterior"] = "component"
    """component: KL(component, posterior), the paper; posterior: the other way round (PIC)."""
    posterior_share: Annotated[float, NOT_NEGATIVE] = 1.0
    """Factor of the gradient of L_BM at the posterior; 0 is Algorithm 1 to the letter."""
    posterior_prior: bool = False
    """Adds PIC's KL(N(0, s^2), posterior), where s grows with the visible share."""
    elbo_divergence: Literal["weighted", "chosen"] = "weighted"
    """KL to N(0, I) in L_ELBO: of all components by weight, or of the chosen one."""
    adversarial: Literal["paper", "pic"] = "paper"
    """Which image has to score 1 and which as the original: eq. 7, or the other way round (PIC)."""
    decode: Literal["chosen", "all"] = "chosen"
    """Components that are decoded in training: the chosen one, or all (Algorithm 1)."""
    kl_weight: Annotated[float, NOT_NEGATIVE] = 1.0
    """Of every KL term; less makes completions more diverse and reconstructions sharper."""
    prior_weight: Annotated[float, NOT_NEGATIVE] = 1.0
    """Of the KL to N(0, I), over `kl_weight`."""
    visible_weight: Annotated[float, NOT_NEGATIVE] = 1.0
    """Of log p(I_m | z_m) in L_ELBO; 0 = PIC's balance, as L_R holds the same term."""
    adversarial_weight: Annotated[float, NOT_NEGATIVE] = 0.05
    """Of L_A (section 4)."""
    free_bits: Annotated[float, NOT_NEGATIVE] = 0.0
    """Nats per latent element below which L_BM exerts no pull."""
    explore_steps: Annotated[int, STEPS] = 2000
    """Steps over which a random component is now and then trained in place of the nearest."""
    revive_steps: Annotated[int, STEPS] = 2000
    """Steps after which a component that is hardly ever the nearest starts anew; 0 = never."""
    completion_only: bool = False
    """Holds what completing needs and no more: no posterior, no discriminators."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_shape()
        clamp = self.sigma_clamp
        if clamp and (len(clamp) != 2 or clamp[0] >= clamp[1]):
            raise UserError("sigma_clamp: needs two bounds of log sigma, the lower one first.")

    def _check_shape(self) -> None:
        # One pixel has no variance, which the normalisations of g divide by.
        if self.size % 2**self.layers or self.side < 2:
            raise UserError(
                f"size: {self.layers} layers take a multiple of {2**self.layers} from "
                f"{2 ** (self.layers + 1)} on, got {self.size}."
            )
        if self.widest % self.width:
            raise UserError(f"widest: must be a multiple of width {self.width}.")
        if not 0 <= self.attention <= self.layers - 2:
            raise UserError(
                f"attention: must lie in 0..{self.layers - 2}, got {self.attention}: it needs "
                "features of f of the same side."
            )
        attending = self.channels_at(self.layers - 1 - self.attention)
        if attending < 4:
            raise UserError(
                f"width: {self.width} gives {attending} channels to the attention, which takes 4 "
                "at least."
            )
        if self.disc_layers and self.size >> self.disc_layers < 3:
            raise UserError(
                f"disc_layers: {self.disc_layers} leave less than 3x3 of {self.size} pixels."
            )

    @property
    def takes_perceptual(self) -> bool:
        """Whether the discriminators stand on its features; no other term looks at them."""
        return self.adversary == "projected" and bool(self.disc_layers)

    @property
    def side(self) -> int:
        """The side of the coarsest features and of the latent variables."""
        return int(self.size // 2**self.layers)

    def channels_at(self, depth: int) -> int:
        """Return the channels after block `depth` (from 0) of f, as of the discriminators."""
        return int(min(self.width * 2**depth, self.widest))

    @property
    def scales(self) -> int:
        """The number of sides at which g gives an image."""
        return self.layers - 1


_TRAINING = Training(
    # Section 4 says Adam at 1e-4; PIC's code has the betas and a batch of 8.
    batch_size=64,
    lr=1e-4,
    betas=(0.0, 0.999),
    clip_norm=100.0,
    ema_decay=0.999,
    augment="flip",
    masks="random",
    validate_every=2000,
    validate_images=256,
    log_every=100,
)


def _stage(steps: int, **changes: object) -> dict[str, Training]:
    return {"completion": replace(_TRAINING, steps=steps, **changes)}  # type: ignore[arg-type]


_PHOTO256 = MixtureConfig(
    size=256,
    channels=3,
    levels=256,
    layers=5,
    width=32,
    widest=128,
    latent_channels=128,
    training=_stage(500_000, batch_size=8),
)

_PHOTO128 = replace(
    _PHOTO256,
    size=128,
    layers=4,
    latent_channels=64,
    disc_layers=4,
    training=_stage(300_000, batch_size=32),
)

_PHOTO64 = replace(_PHOTO128, size=64, disc_layers=3, training=_stage(200_000))

_PHOTO32 = replace(
    _PHOTO64, size=32, layers=3, latent_channels=32, disc_layers=2, training=_stage(100_000)
)

# What a laptop can train: the rate falls to 0 within a few thousand steps, and weaker KL terms let
# the latent variables be used that early.
_SHORT = {
    "lr": 4e-4,
    "schedule": "cosine",
    "warmup_steps": 200,
    "batch_size": 32,
    "validate_every": 500,
    "checkpoint_every": 250,
    "log_every": 20,
    "masks": "freeform-scaled@mixture",
}

_SMALL32 = replace(
    _PHOTO32,
    kl_weight=0.1,
    prior_weight=0.1,
    explore_steps=1000,
    revive_steps=500,
    training=_stage(4500, **_SHORT),
)

_SMALL64 = replace(
    _PHOTO64,
    kl_weight=0.1,
    prior_weight=0.1,
    explore_steps=1000,
    revive_steps=500,
    training=_stage(8000, **_SHORT),
)

_SMALL128 = replace(
    _PHOTO128,
    kl_weight=0.1,
    prior_weight=0.1,
    explore_steps=2000,
    revive_steps=1000,
    training=_stage(20_000, **{**_SHORT, "batch_size": 16}),
)

_DIGITS = MixtureConfig(
    size=8,
    channels=1,
    levels=16,
    layers=2,
    width=16,
    widest=32,
    latent_channels=8,
    infer_blocks=2,
    attention=0,
    disc_layers=1,
    kl_weight=0.1,
    explore_steps=300,
    revive_steps=200,
    training=_stage(
        1200,
        lr=1e-3,
        schedule="cosine",
        warmup_steps=50,
        ema_decay=0.99,
        augment="none",
        masks="freeform-scaled",
        validate_every=400,
        checkpoint_every=400,
        log_every=20,
    ),
)

PRESETS = {
    "digits": _DIGITS,
    "small32": _SMALL32,
    "small64": _SMALL64,
    "small128": _SMALL128,
    "photo32": _PHOTO32,
    "photo64": _PHOTO64,
    "photo128": _PHOTO128,
    "photo256": _PHOTO256,
}
"""photo256 is the paper's, which is PIC's network; the others are ours."""
