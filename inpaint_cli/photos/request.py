"""What is asked of a model, apart from the photo and its hole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from inpaint_cli.declarations import Detail, drawing_option
from inpaint_cli.errors import UserError
from inpaint_cli.family import Family
from inpaint_cli.photos.arguments import one_of

CONTEXT = 0.5
LARGEST = 1_000_000
"""What no sensible number here comes near; far above it, arithmetic overflows."""
DetailSource = Literal["photo", "none"]
"""Where pixels finer than the model's come from: patches of the photo, or nowhere."""


@dataclass(frozen=True)
class CompletionRequest:
    """What is asked of a model, apart from the photo and its hole."""

    n: int = 1
    seed: int = 0
    temperature: float | None = None
    context: float = CONTEXT
    """Share of a hole's longer side that is added on each side of it."""
    feather: float | None = None
    """Pixels over which the correction at the edge fades inside the hole; None = by scale."""
    detail: DetailSource | None = None
    """photo: the fill is drawn from patches of the photo, guided by the model's picture; none: the
    model's picture is the fill, enlarged where it has to be. None: photo, if the family can."""
    opaque: bool = False
    """Make the hole opaque: it was given by the photo's own transparency."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the family, by name."""
    of_drawing: bool = False
    """The photo is a drawing: shown to the model as a whole, and nothing of it kept."""
    details: tuple[Detail, ...] = ()
    """What the family declares that its models tell beside completions."""
    texture_only: bool = False
    """The family has nothing but texture: no model is asked."""
    intervals: bool = False
    """Intervals of the model are wanted, so it is asked for thin holes as well."""
    reconstruct: bool = False
    """The photo is shown to the model as a whole, and what its autoencoder makes of it is taken."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"must be at least 1, got {self.n}.", setting="n")
        if self.seed < 0:
            raise UserError(f"must not be negative, got {self.seed}.", setting="seed")
        self._check_temperature()
        if self.reconstruct:
            self._check_reconstruction()
        _check_size("context", self.context)
        one_of(self.detail, "detail", DetailSource)
        if self.detail == "photo" and self.of_drawing:
            raise UserError("a drawing has no texture to take. Leave it out.", setting="detail")
        if self.feather is not None:
            _check_size("feather", self.feather)
        if self.texture_only:
            self._check_texture()

    def _check_temperature(self) -> None:
        if self.temperature is None:
            return
        _check_size("temperature", self.temperature)
        if self.texture_only:
            raise UserError("texture has none. Leave it out.", setting="temperature")
        if self.temperature == 0 and self.n > 1:
            raise UserError(
                f"must be 1, got {self.n}: at temperature 0 a model has one completion, the "
                "likeliest. Leave it out, or take a temperature above 0.",
                setting="n",
            )

    def _check_texture(self) -> None:
        """Raise UserError for whatever means nothing where no model is asked."""
        given = {
            "calibration": (self.intervals, "is of a model's pictures, and texture has none."),
            "detail": (self.detail == "none", "this method has nothing but texture."),
            "feather": (self.feather is not None, "texture has no seam to hide."),
            "context": (self.context != CONTEXT, "texture is taken from all around."),
        }
        for name, (is_given, why) in given.items():
            if is_given:
                raise UserError(f"{why} Leave it out.", setting=name)

    def _check_reconstruction(self) -> None:
        """Raise UserError for whatever means nothing where nothing is drawn or joined."""
        given = {
            "temperature": self.temperature,
            "detail": self.detail,
            "feather": self.feather,
            **self.options,
        }
        for name, value in given.items():
            if value is not None:
                raise UserError(
                    "means nothing for a reconstruction: nothing is drawn. Leave it out.",
                    setting=name,
                )
        if self.n > 1:
            raise UserError(
                f"must be 1, got {self.n}: a photo has one reconstruction. Leave it out.",
                setting="n",
            )

    @property
    def of_whole(self) -> bool:
        """Whether the model sees all of the photo, and nothing of it is kept."""
        return self.of_drawing or self.reconstruct

    @classmethod
    def of_family(cls, family: Family, options: Mapping[str, Any], **common: Any) -> Self:
        """Return a request to a model of `family`; options: the family's own."""
        drawing = drawing_option(family.options, options) is not None
        return cls(
            options=options,
            of_drawing=drawing,
            details=family.details,
            texture_only=family.texture_only,
            **common,
        )

    def sampling_options(self) -> dict[str, Any]:
        """Return the options that decide a result, beside seed, model and mask."""
        if self.reconstruct:
            return {"reconstruct": True}
        return {
            "temperature": self.temperature,
            "context": self.context,
            "feather": self.feather,
            "detail": self.detail or "photo",
            **self.options,
        }


def _check_size(setting: str, value: float) -> None:
    """Raise UserError for a number below 0, for one too large, and for none (NaN)."""
    if not 0 <= value <= LARGEST:
        how = f"at most {LARGEST}" if value > LARGEST else "at least 0"
        raise UserError(f"must be {how}, got {value}.", setting=setting)
