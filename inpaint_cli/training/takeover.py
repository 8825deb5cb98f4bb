"""New runs that stand on a weight file: what its finished stages trained is taken over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inpaint_cli import models, zoo
from inpaint_cli.configuration import to_dict
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model, Stage, finished_stages
from inpaint_cli.files import absolute, expanded
from inpaint_cli.weights import OWN_PRESET, hash_of, load_weights, read_config, read_header

if TYPE_CHECKING:
    from torch import Tensor, nn

    from inpaint_cli.training.recipe import Recipe

ORIGIN = ("from_weights", "from_weights_sha256")
"""What a config.toml says of the weight file that its run began from."""
BEST = "best"
"""In the header of the best weights of a stage: its name. It counts as finished in a new run."""


def origin_of(path: Path) -> dict[str, str]:
    """Return what a config.toml says of a weight file: the name of a model that ships, or a path.

    `file_of` is its inverse.
    """
    ships = path.parent == zoo.FOLDER
    return dict(zip(ORIGIN, (path.stem if ships else absolute(path), hash_of(path)), strict=True))


def file_of(recipe: Recipe) -> Path | None:
    """Return the weight file that a new run stands on, None if none; UserError if it is another."""
    if not recipe.from_weights:
        return None
    path = Path(zoo.find(str(expanded(recipe.from_weights)), "from_weights"))
    if not path.is_file() or hash_of(path) != recipe.from_weights_sha256:
        raise UserError(
            f"{path} is no longer the file that the run of this config began from. Put that back, "
            "or begin a run from it as it is, without the config.",
            setting="from_weights",
        )
    family = read_header(path)["family"]
    if family != recipe.model:
        raise UserError(f"{path} is of '{family}', not '{recipe.model}'.", setting="model")
    return path


def further_of(path: Path, stages: Iterable[str]) -> str | None:
    """Return the one of the stages to be trained that the weight file `path` holds finished."""
    finished = finished_in(path)
    return next((stage for stage in stages if stage in finished), None)


def finished_in(path: Path) -> list[str]:
    """Return the stages that are finished in a weight file. UserError if there is none."""
    header = read_header(path)
    family = models.get(header["family"])
    # Files that say nothing of stages are whole models, such as those that ship.
    trained = header.get("stages", ",".join(family.stage_names)).split(",")
    if BEST in header:
        trained.append(header[BEST])
    stages = finished_stages(family, [name for name in trained if name])
    if not stages:
        unfinished = f" ('{header['in_progress']}' is not)" if "in_progress" in header else ""
        raise UserError(
            f"{path} holds no finished stage{unfinished}. Resume its run, or give its best weights "
            "so far: STAGE-best.safetensors in checkpoints/ of the run.",
            setting="from_weights",
        )
    return stages


def kept_of(path: Path, stage: str | None) -> list[str]:
    """Return the stages that a run on top of a weight file need not train.

    Where `stage`, which is trained further, is one of the finished ones, those that stand on it are
    to be trained anew, too.
    """
    finished, kept = finished_in(path), list[str]()
    for each in models.get(read_header(path)["family"]).stages():
        if each.name in finished and each.name != stage and set(each.needs) <= set(kept):
            kept.append(each.name)
    return kept


def settings_of(path: Path, stage: str | None) -> dict[str, Any]:
    """Return what a weight file says about a run that stands on it, as a config.toml would.

    stage: the one that is asked for, if any; it may be finished, and is then trained further.
    """
    header = read_header(path)
    config = to_dict(read_config(header, path))
    family = models.get(header["family"])
    names = family.stage_names
    kept = kept_of(path, None)  # without those whose own ground is not finished
    left = [name for name in names if name not in kept]
    if not left and stage is None:
        raise UserError(
            f"every stage of {path} is trained already. To train one further, name it as the "
            f"stage: {', '.join(names)}.",
            setting="from_weights",
        )
    preset = header.get("preset", OWN_PRESET)
    preset = preset if preset in family.presets else OWN_PRESET
    return {"model": family.name, "preset": preset, "stages": left, "config": config}


def take_over(model: nn.Module, stages: Iterable[Stage[Any]], path: Path) -> None:
    """Copy what the finished stages of `path` trained into `model`; the rest stays as it is.

    A group of parameters that are all 0 there, as discriminators that were left out to save space,
    stays as it is too: a network of zeros learns nothing. UserError where `model` has something in
    another shape.
    """
    theirs = cast("nn.Module", load_weights(path)).state_dict()
    names = names_to_take(model, stages, path, theirs)
    model.load_state_dict({name: theirs[name] for name in names}, strict=False)


def names_to_take(
    model: nn.Module, stages: Iterable[Stage[Any]], path: Path, theirs: Mapping[str, Tensor]
) -> list[str]:
    """Return the names of what is taken over of `theirs`, the tensors of `path`.

    UserError where `model`, which may stand on the device "meta", has something in another shape.
    """
    ours = model.state_dict()
    names = trained_by(model, stages, finished_in(path), theirs)
    for name in names:
        if name not in theirs or theirs[name].shape != ours[name].shape:
            raise UserError(
                f"these settings change the shape of '{name}', which is trained in {path}. "
                "Leave out those that belong to its finished stages.",
                setting="set",
            )
    return names


def trained_by(
    model: nn.Module,
    stages: Iterable[Stage[Any]],
    finished: Collection[str],
    theirs: Mapping[str, Tensor],
) -> list[str]:
    """Return the names of what these stages trained into `theirs`, with the buffers beside it.

    A group that is not there at all, beside another of its stage that is, was not trained: it is a
    discriminator of a model that had none.
    """
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    names = list[str]()
    for stage in stages:
        if stage.name in finished:
            groups = [
                [name_of[id(p)] for p in group.parameters if id(p) in name_of]
                for group in stage.trainable(cast(Model, model))
            ]
            there = [members for members in groups if any(name in theirs for name in members)]
            for members in there or groups:
                if any(name not in theirs or theirs[name].any() for name in members):
                    names += members
    parts = {name.split(".")[0] for name in names}
    saved = model.state_dict().keys()
    buffers = (name for name, _ in model.named_buffers() if name in saved)
    return names + [name for name in buffers if name.split(".")[0] in parts]
