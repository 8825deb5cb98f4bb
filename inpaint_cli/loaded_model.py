"""A model that completes images of any size, and how one is loaded by its name or file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from inpaint_cli import models, zoo
from inpaint_cli.bounds import MOST_COMPLETIONS
from inpaint_cli.declarations import Option, drawing_option, not_as_scored
from inpaint_cli.device import check_name, for_method, resolve
from inpaint_cli.errors import UserError
from inpaint_cli.family import Family, Model, unfinished
from inpaint_cli.models import external, installed
from inpaint_cli.models.deferred import DeferredModel
from inpaint_cli.parsing import telling_long_names
from inpaint_cli.photos.arguments import ImageSource, number, path, photo_of, visible_of, whole
from inpaint_cli.photos.completing import complete_photo
from inpaint_cli.photos.family_options import checked_options
from inpaint_cli.photos.request import CONTEXT, CompletionRequest, DetailSource
from inpaint_cli.photos.returned import CompletionResult
from inpaint_cli.pictures.picture import Picture
from inpaint_cli.weights import load_weights, read_config, read_header

if TYPE_CHECKING:
    import torch

    from inpaint_cli.photos.calibration import Calibration

DEFAULT_N = 8


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to complete images of any size."""

    name: str
    family: Family
    model: Model
    device: torch.device | str
    """Where it computes; "auto" where that is decided when its weights are loaded."""
    weights_sha256: str | None = None
    """Of a command, the hash of its words and files; None for methods without weights."""
    note: str = ""
    """What a user should know of the weights: that their training is not finished."""

    def __repr__(self) -> str:
        # The default one would print every layer of the network.
        return f"LoadedModel({self.name!r}, family={self.family.name!r}, device='{self.device}')"

    def default_n(self, temperature: float | None) -> int:
        """Return how many completions are made by default: 1 if all would be equal."""
        return DEFAULT_N if self.model.stochastic and temperature != 0 else 1

    @telling_long_names
    def complete(
        self,
        image: ImageSource,
        mask: ImageSource | None = None,
        *,
        visible: npt.NDArray[np.bool_] | None = None,
        n: int | None = None,
        seed: int = 0,
        temperature: float | None = None,
        context: float = CONTEXT,
        feather: float | None = None,
        detail: DetailSource | None = None,
        calibration: Calibration | str | Path | None = None,
        **options: Any,
    ) -> CompletionResult:
        """Complete the hidden part of one image n times (default: 8, or 1 if all would be equal).

        image: path, Pillow image, or uint8 array [H, W] or [H, W, C]. The hole: either `mask` (a
        path, Pillow image or array; white is filled in, of whatever range) or `visible` (bool
        [H, W], True = known); neither where an option of the family makes `image` a drawing.
        detail: "photo" = the fill is made of the photo's own texture, guided by the model's
        picture; "none" = the model's picture itself, enlarged.
        calibration: of this model, n and temperature (`inpaint_cli.calibrate`); the result then has
        `intervals`.
        options: of the family. UserError says what is wrong.
        """
        photo, flat = photo_of(image)
        request = CompletionRequest.of_family(
            self.family,
            checked_options(self.family, options, as_scored=calibration is not None),
            n=self.default_n(temperature) if n is None else whole(n, "n", most=MOST_COMPLETIONS),
            seed=whole(seed, "seed"),
            temperature=number(temperature, "temperature"),
            context=number(context, "context") if context is not None else CONTEXT,
            feather=number(feather, "feather"),
            detail=detail,
            intervals=calibration is not None,
        )
        chosen = self._calibration(calibration, request)
        if drawing := drawing_option(self.family.options, options):
            known = _nothing(mask, visible, photo, drawing)
        else:
            known, remarks = visible_of(mask, visible, photo)
            photo = photo.with_notes(*remarks)
        completed = complete_photo(photo, known, self.model, request)
        return CompletionResult.of(completed, flat, chosen)

    @telling_long_names
    def reconstruct(self, image: ImageSource) -> CompletionResult:
        """Return what the model's autoencoder makes of a whole image, at the image's size.

        UserError where the model has none. The result's one image keeps no sample; its `notes` tell
        the PSNR at the model's size.
        """
        if why := self.model.no_reconstruction():
            raise UserError(f"{self.name} {why}", setting="reconstruct")
        photo, flat = photo_of(image)
        request = CompletionRequest.of_family(self.family, {}, reconstruct=True)
        hidden = np.zeros((photo.height, photo.width), np.bool_)
        return CompletionResult.of(complete_photo(photo, hidden, self.model, request), flat)

    def _calibration(
        self, given: Calibration | str | Path | None, request: CompletionRequest
    ) -> Calibration | None:
        from inpaint_cli.photos.calibration import Calibration, load

        if given is None:
            return None
        calibration = given if isinstance(given, Calibration) else load(path(given, "calibration"))
        if why := self.calibrated_otherwise(calibration, request):
            raise UserError(f"{why}.", setting="calibration")
        return calibration

    def calibrated_otherwise(
        self, calibration: Calibration, request: CompletionRequest
    ) -> str | None:
        """Return why a calibration says nothing on these completions; None if it does."""
        return calibration.mismatch(
            getattr(self.model, "label", self.name),  # of a command, as `calibrate` has it
            self.weights_sha256,
            request.n if self.model.stochastic else None,
            request.temperature,
            self.model.own_temperature,
        ) or not_as_scored(self.family.options, request.options, self.model.config)


@telling_long_names
def load_model(
    name_or_path: str | Path = zoo.DEFAULT,
    device: str = "auto",
    *,
    later: bool = False,
    exec_timeout: float | None = None,
) -> LoadedModel:
    """Load a model: a name of the zoo, a family, a run folder, a weight file, or "exec:COMMAND".

    device: "auto", "cpu", "cuda" or "mps". later: read its facts now and its weights when it draws
    for the first time, which is when torch is needed. exec_timeout: seconds that a command may take
    for one completion (600). UserError where there is no such model or
    device, and for files that are damaged or not ours; nothing in a file is ever executed.
    """
    name = str(name_or_path)
    if external.is_command(name):
        tool = external.ExternalTool(name, exec_timeout or external.TIMEOUT)
        of_tool = external.ExternalFamily(tool)
        return LoadedModel(name, of_tool, tool, for_method(device), tool.digest())
    source = zoo.find(name, for_completion=True)
    if isinstance(source, str):
        family = models.get(source)
        model = installed.guarded(family.build(next(iter(family.presets.values()))), source)
        return LoadedModel(name, family, model, for_method(device))
    # What is asked for by name is refused before anything is read, and found out with torch.
    check_name(device)
    place = device if later and device == "auto" else resolve(device)
    digest = zoo.whole(source)
    header = read_header(source)
    config, family = read_config(header, source), models.get(header["family"])
    if not family.completes:
        raise UserError(
            f"{name} is of the family '{family.name}', which serves metrics and completes "
            "nothing. 'inpaint models' lists those that do.",
            setting="model",
        )

    def load() -> Model:
        network: Any = load_weights(source)
        network = installed.guarded(network, family.name)
        return cast(Model, network.to(resolve(str(place))).eval())

    if name in models.FAMILIES:
        name = source.stem  # so that reports name the weights
    model = DeferredModel(family, config, load) if later else load()
    return LoadedModel(name, family, model, place, digest, unfinished(family, header))


def _nothing(
    mask: ImageSource | None,
    visible: npt.NDArray[np.bool_] | None,
    photo: Picture,
    drawing: Option,
) -> npt.NDArray[np.bool_]:
    if mask is not None or visible is not None:
        raise UserError(
            f"{drawing.of_drawing}: everything is filled in. Leave out mask and visible.",
            setting=drawing.parameter,
        )
    return np.zeros((photo.height, photo.width), np.bool_)
