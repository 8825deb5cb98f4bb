"""New runs that stand on a weight file: what its finished stages trained is taken over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from inpaint_cli import models
from inpaint_cli.configuration import to_dict
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model, Stage, finished_stages
from inpaint_cli.weights import OWN_PRESET, load_weights, read_config, read_header

if TYPE_CHECKING:
    from torch import Tensor, nn


def finished_in(path: Path) -> list[str]:
    """Return the stages that are finished in a weight file. UserError if there is none."""
    header = read_header(path)
    family = models.get(header["family"])
    # Files that say nothing of stages are whole models, such as those that ship.
    trained = header.get("stages", ",".join(family.stage_names))
    stages = finished_stages(family, [name for name in trained.split(",") if name])
    if not stages:
        raise UserError(
            f"{path} holds no finished stage. A run that was stopped is resumed instead.",
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
    finished = finished_in(path)
    family = models.get(header["family"])
    names = family.stage_names
    left = [name for name in names if name not in finished]
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
    """Return the names of what these stages trained into `theirs`, with the buffers beside it."""
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    names = list[str]()
    for stage in stages:
        if stage.name in finished:
            for group in stage.trainable(cast(Model, model)):
                held = [id(parameter) for parameter in group.parameters]
                members = [name_of[each] for each in held if each in name_of]
                if any(name not in theirs or theirs[name].any() for name in members):
                    names += members
    parts = {name.split(".")[0] for name in names}
    saved = model.state_dict().keys()
    buffers = (name for name, _ in model.named_buffers() if name in saved)
    return names + [name for name in buffers if name.split(".")[0] in parts]
