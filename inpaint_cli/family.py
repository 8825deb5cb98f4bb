"""The interface that every family implements, and the plain data that passes through it.

Importing this module must not import torch: help pages and listings stand on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Self, TypeVar

from inpaint_cli.bounds import INTERVAL, NOT_NEGATIVE, PART, STEPS, Between, check
from inpaint_cli.declarations import Detail, Option
from inpaint_cli.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from inpaint_cli.randomness import Noise

M = TypeVar("M", bound="Model")
"""The model of the family whose stage it is."""


@dataclass(frozen=True)
class Training:
    """How one stage of one preset is trained; every field can be set with `--set NAME=VALUE`."""

    batch_size: Annotated[int, Between(1, 10**6)] = 64
    """Images per optimiser step, over all processes and accumulated parts."""
    epochs: Annotated[float, NOT_NEGATIVE] = 50.0
    """Passes over the training images; `steps` wins if it is not 0."""
    steps: Annotated[int, STEPS] = 0
    """Optimiser steps; 0 = from `epochs`."""
    lr: Annotated[float, Between(0, 1000, above=True)] = 4e-4
    optimiser: Literal["adam", "adamw", "adamax"] = "adam"
    betas: Annotated[tuple[float, float], PART] = (0.9, 0.999)
    eps: Annotated[float, Between(0, 1, above=True)] = 1e-8
    weight_decay: Annotated[float, Between(0, 100)] = 0.0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Course of the learning rate after the warm-up; cosine and linear end at 0."""
    warmup_steps: Annotated[int, STEPS] = 0
    """Steps over which the learning rate rises linearly from 0."""
    clip_norm: Annotated[float, Between(0, 10**9)] = 0.0
    """Gradients are scaled down to this L2 norm; 0 = never."""
    skip_norm: Annotated[float, Between(0, 10**9)] = 0.0
    """A step whose gradient norm exceeds this is left out; 0 = none is."""
    ema_decay: Annotated[float, PART] = 0.0
    """Decay of the averaged weights that are validated and saved; 0 = the weights themselves."""
    accumulate: Annotated[int, Between(1, 10**6)] = 1
    """Parts into which a batch is cut, for memory; the step is the same but for statistics that a
    layer takes of each part (BatchNorm)."""
    masks: str = "freeform"
    """Mask kind drawn for every training image (`inpaint masks --help`)."""
    mask_cache: Annotated[int, Between(0, 10**7)] = 0
    """Draw this many masks beforehand and pick from them; 0 = a new mask for every image."""
    augment: Literal["none", "flip", "crop"] = "none"
    """flip: mirrored at random; crop: also a random crop of 75-100 % of the side."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 autocast where the device computes faster in it."""
    log_every: Annotated[int, INTERVAL] = 20
    validate_every: Annotated[int, INTERVAL] = 1000
    validate_images: Annotated[int, Between(1, 10**7)] = 512
    """Held-out images per validation, at most."""
    checkpoint_every: Annotated[int, INTERVAL] = 500
    sheet_images: Annotated[int, Between(0, 1000)] = 4
    """Rows of the sheet of held-out completions drawn at each validation; 0 = none."""

    def __post_init__(self) -> None:
        check(self)
        if self.batch_size % self.accumulate:
            raise UserError(
                f"accumulate: {self.accumulate} does not divide batch_size {self.batch_size}."
            )


@dataclass(frozen=True)
class Config:
    """What makes a model of a family; families add their own fields. Saved inside the weights."""

    size: Annotated[int, Between(0, 16384)]
    """Side of the square image, in pixels; 0 = any size, not necessarily square."""
    channels: int
    """1 = grey, 3 = RGB."""
    levels: Annotated[int, Between(2, 256)]
    """Levels per channel, 2 to 256."""
    training: Mapping[str, Training] = field(default_factory=dict)
    """Stage name -> how it is trained."""

    def __post_init__(self) -> None:
        check(self)
        if self.channels not in (1, 3):
            raise UserError(f"channels: must be 1 or 3, got {self.channels}.")

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names in a table of labels that training asks for, in order; None = it asks for none."""
        return None

    @property
    def class_count(self) -> int | None:
        """How many classes of its data training tells apart; None = it does not look at them."""
        return None

    @property
    def takes_perceptual(self) -> bool:
        """Whether training takes a perceptual distance (`--perceptual`).

        The trainer hands it to the model's `use_perceptual`.
        """
        return False


@dataclass(frozen=True)
class Batch:
    """One training or validation batch."""

    image: Tensor
    """uint8 [N, C, H, W]."""
    visible: Tensor
    """bool [N, 1, H, W], True = known."""
    label: Tensor | None = None
    """int64 [N], the class, where the data has classes; [N, B] of 0 and 1 for labels of a table."""
    progress: float = 0.0
    """Share of the stage's steps that are done, in training: what starts late goes by it."""


@dataclass(frozen=True)
class ParameterGroup:
    """The parameters of one optimiser of a stage; a GAN has two groups."""

    name: str
    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0
    """Times the stage's `Training.lr`."""
    betas: tuple[float, float] | None = None
    """None = the stage's `Training.betas`."""
    undecayed: Sequence[nn.Parameter] = ()
    """Those of them that `Training.weight_decay` leaves alone."""


@dataclass(frozen=True)
class StepResult:
    """The result of one training step of a stage."""

    losses: Mapping[str, Tensor]
    """Group name -> scalar loss. A loss must have no gradient in another group's parameters: the
    trainer takes one backward pass through their sum, so that DistributedDataParallel works."""
    scalars: Mapping[str, Tensor] = field(default_factory=dict)
    """Name -> scalar to log."""


class Stage(ABC, Generic[M]):
    """What the trainer needs to know of one stage of training a model M, and nothing more."""

    name: str
    needs: tuple[str, ...] = ()
    """Earlier stages whose weights this one stands on."""
    covers: tuple[str, ...] = ()
    """Other stages: once this one is finished, what they train is trained as well, in this run or
    in a file that the config names."""

    def check(self, config: Any, trained: Sequence[str]) -> None:
        """Raise UserError where these settings keep a new run from beginning the stage.

        config: of the family's own kind. trained: the stages that are by then. Nothing is built
        yet: this may be a plan.
        """
        return

    def begin(self, model: M) -> None:
        """Prepare the model for the first step, such as by weights that earlier stages trained.

        Called once, without gradients; not where the stage is resumed, or trained further.
        """
        return

    @abstractmethod
    def trainable(self, model: M) -> list[ParameterGroup]:
        """Return one group per optimiser."""

    @abstractmethod
    def loss(self, model: M, batch: Batch, step: int, noise: Noise) -> StepResult:
        """Return the losses of one batch; the model is in train mode."""

    @abstractmethod
    def validate(self, model: M, batch: Batch, noise: Noise) -> Mapping[str, Tensor]:
        """Return figures per image, float64 [N], in the paper's unit; the first one is minimised.

        The model is in eval mode; no gradient is wanted. NaN leaves an image out of a mean.
        """

    def pictures(self, model: M, batch: Batch, noise: Noise) -> Tensor | None:
        """Return what a sheet shows of ONE held-out image, uint8 [n, C, H, W].

        None: completions, which a stage cannot show as long as they need later ones.
        """
        return None


@dataclass(frozen=True)
class Completions:
    """n completions of one image."""

    images: Tensor
    """uint8 [n, C, H, W]; visible pixels are already the input's."""
    log_prob: Tensor | None = None
    """float64 [n], nats, of the hidden values given the visible ones; None where the family has
    none, or none was asked for."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the family tells besides, as its `details` declare."""
    lower_bound: bool = False
    """Whether likelihoods of the model, and so `log_prob`, are lower bounds."""


@dataclass(frozen=True)
class Typicality:
    """How well what is visible of N images fits a model with layers of latents, in S passes."""

    gradients: Tensor
    """float64 [N, S, L]: d/dt of the bound of log p(visible; t) at t = 1, where t multiplies the
    standard deviations of the prior of layer l (IPA, appendix J)."""
    log_weights: Tensor
    """float64 [N, S]: log p(visible, z) - log c(z | visible) at the z of each pass, nats."""


class Model:
    """What completes images: a network (an nn.Module), or a method without weights.

    Families subclass `models.completion_model.CompletionModel`, or `models.method.Method` for the
    latter, and override what they have more of than the defaults here.
    """

    config: Config
    """What the model was built from; a family's own kind of Config."""
    stochastic: bool = True
    """False: the same input has one completion, and `complete` takes n = 1 only."""
    has_temperature: bool = True
    """False: it draws without one, and `complete` refuses any."""
    has_log_prob: bool = False
    """Whether `log_prob` gives a likelihood, exact or a bound of one."""
    trained_stages: tuple[str, ...] | None = None
    """The stages that a converted file holds; None = all of the family's."""
    sees_all: bool = False
    """It is shown a photo as a whole with all its holes, not window by window."""

    def describe(self, config: Config) -> None:
        """Take over the facts of a config."""
        self.config = config
        self.size, self.channels, self.levels = config.size, config.channels, config.levels

    @property
    def own_temperature(self) -> float:
        """The temperature at which it draws where none is given."""
        return float(getattr(self.config, "temperature", 1.0))

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete ONE image len(noise) times.

        image: uint8 [1, C, H, W]; visible: bool [1, 1, H, W], on the model's device; the result
        may lie on any. What depends on the visible pixels only is computed once. Nothing in the
        result depends on hidden values of `image`. A temperature of 0 asks for the likeliest
        completion, as far as the model finds it, whatever the noise is. The caller need not turn
        gradients off or eval mode on: `complete` does, and leaves the mode as it was.
        """
        raise NotImplementedError

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        """Return log p(hidden | visible), float64 [N], nats, 0 where nothing is hidden.

        Normalise in float64 (a float32 log_softmax does not sum to 1 exactly); MPS has none, so do
        that on the CPU there. UserError where the family has no likelihood.
        """
        raise UserError("this model has no likelihood. Take one with a likelihood, such as pcnn.")

    def typicality_layers(self) -> int:
        """Return L of `typicality`; 0 where the model has none."""
        return 0

    def typicality(
        self, image: Tensor, visible: Tensor, noises: Sequence[Noise], *, sampled: bool = False
    ) -> Typicality:
        """Return how typical what is visible of each of N images is, in S passes.

        noises: one of S streams for each image. Something is hidden of all images, or of none.
        sampled: the gradients at z itself, instead of z integrated out. Hidden values do not count.
        """
        raise UserError("this model has no layers of latents. Take one that has, such as ipa.")

    def no_reconstruction(self) -> str | None:
        """Return why the model reconstructs nothing, as the end of a sentence; None if it does."""
        return (
            "has no autoencoder, so it reconstructs nothing. Take a model that has one, such as "
            "ipa."
        )

    def reconstruct(self, image: Tensor) -> Tensor:
        """Return what the model's autoencoder makes of whole images, uint8 [N, C, H, W], as uint8.

        Nothing is drawn, and each image is by itself. UserError where the model has none.
        """
        raise UserError(f"this model {self.no_reconstruction()}", setting="reconstruct")

    def for_completion(self) -> Self:
        """Return the model without what only training needs, its weights shared: what ships."""
        return self

    def take_spent(self) -> dict[str, float]:
        """Return what was measured of the completions since the last call (see `external`)."""
        return {}

    def use_perceptual(self, distance: Any) -> None:
        """Take a perceptual distance for the losses, where the config `takes_perceptual`.

        None where none was chosen; UserError where a setting of the model needs one.
        """
        raise UserError("perceptual: the losses of this model take no perceptual distance.")


class Family(ABC):
    """One published family: its presets, its stages, how to build and to convert a model.

    A subclass states what differs from the defaults. One whose page is not docs/NAME.md, since it
    shares one with others, names it by `page`.
    """

    name: str
    """As typed after --model."""
    summary: str
    """One line for help pages and listings."""
    presets: Mapping[str, Config]
    """All of one class. A trained family has `digits` (8x8 grey, about a minute): tests use it."""
    stage_names: tuple[str, ...] = ()
    """In training order; empty for families that are not trained."""
    options: tuple[Option, ...] = ()
    details: tuple[Detail, ...] = ()
    """What its models tell beside their completions."""
    texture_only: bool = False
    """True: completing a photo is its texture alone (`inpaint_cli/texture`); no model is asked."""
    completes: bool = True
    """False: its models are for metrics and complete nothing (classifier)."""
    stochastic: bool = True
    has_log_prob: bool = False
    """Whether its models have a likelihood (see `Model`)."""
    reconstructs: bool = False
    """Whether its models have an autoencoder that gives whole pictures back (see `Model`)."""
    layouts: tuple[str, ...] = ()
    """Names that `inpaint convert --from` takes for this family's foreign files."""

    def stages(self) -> tuple[Stage[Any], ...]:
        """Return the stages in training order (imports torch)."""
        return ()

    @abstractmethod
    def build(self, config: Config) -> Model:
        """Build the model with random weights, under whatever torch.device context is active.

        The meta device must do: weight files are checked against their config there first.
        """

    def convert(self, layout: str, files: Sequence[Path]) -> Model:
        """Read foreign files, by name and shape, strictly; UserError names what did not fit.

        Where they hold some stages only, the model's `trained_stages` names them.
        """
        raise UserError(f"{self.name} has no weights of other programs, so nothing is converted.")


def finished_stages(family: Family, trained: Collection[str]) -> list[str]:
    """Return the stages that need no training any more, in order, once `trained` are."""
    stages = family.stages()
    covered = {name for stage in stages if stage.name in trained for name in stage.covers}
    return [stage.name for stage in stages if stage.name in covered or stage.name in trained]


def unfinished(family: Family, header: Mapping[str, str]) -> str:
    """Return a remark on what is not trained yet, by the header of a weight file; "" if all is."""
    if "in_progress" in header:
        return f"training not finished: stage '{header['in_progress']}', step {header['step']}"
    trained = header.get("stages", ",".join(family.stage_names)).split(",")
    if set(trained) >= set(family.stage_names):
        return ""
    finished = finished_stages(family, trained)
    missing = [stage for stage in family.stage_names if stage not in finished]
    return f"not trained yet: {', '.join(missing)}" if missing else ""
