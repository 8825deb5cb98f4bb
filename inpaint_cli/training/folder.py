"""The run folder: its numbered name, its files, and whether a run is new or goes on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from inpaint_cli import locking
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Model, Stage
from inpaint_cli.files import check_utf8, make_folder, remove_leftovers, write_error, write_text
from inpaint_cli.reporting import Reporter
from inpaint_cli.training import record
from inpaint_cli.training.recipe import Recipe, RecipeChoices, from_file
from inpaint_cli.training.takeover import file_of, further_of, kept_of, take_over
from inpaint_cli.weights import read_header, save_weights

NEWEST = "newest"
"""In the place of a run folder that is resumed: the newest of that model and data that can be."""


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def config(self) -> Path:
        """The file from which the run can be repeated."""
        return self.path / "config.toml"

    @property
    def log(self) -> Path:
        """The log, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def samples(self) -> Path:
        """The folder of the sheets of held-out completions."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """The folder of what a resumed run needs."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """The file of the trained model."""
        return self.path / "model.safetensors"

    def finished_stages(self) -> list[str]:
        """Return the stages that are finished, in their order."""
        return [name for name in self._header().get("stages", "").split(",") if name]

    def stage_trained_further(self) -> str | None:
        """Return the stage that starts from the weight file, which holds it trained already."""
        return self._header().get("further")

    def stage_in_progress(self) -> str | None:
        """Return the stage whose unfinished weights the weight file holds."""
        return self._header().get("in_progress")

    def _header(self) -> dict[str, str]:
        return read_header(self.weights) if self.weights.is_file() else {}

    @property
    def lock(self) -> Path:
        """The file that a process which trains here holds locked."""
        return self.path / ".lock"

    def check(self, stages: Sequence[str]) -> None:
        """Raise UserError where something else stands in the place of a file or folder of the run.

        A link may stand for one that is there, but for the lock, which is written to as it is.
        """
        board = self.path / "tensorboard"
        folders = [self.checkpoints, self.samples, board, *(self.samples / name for name in stages)]
        files = [self.config, self.log, self.weights, self.path / record.FILE, self.lock]
        for path, is_right, what in [
            *((path, path.is_dir(), "no folder") for path in folders),
            *((path, path.is_file(), "no ordinary file") for path in files),
            (self.lock, not self.lock.is_symlink(), "a link"),
        ]:
            if os.path.lexists(path) and not is_right:
                raise UserError(f"{path}: {what}. Move it away, and resume.")

    def locked(self) -> AbstractContextManager[None]:
        """Keep a second trainer out; the system lifts the lock however this process ends."""
        refusal = f"{self.path}: another process is training in this folder."
        return locking.locked(self.lock, refusal)

    def keep(self, recipe: Recipe) -> None:
        """Write config.toml anew where `recipe` has other data or stages."""
        saved = from_file(self.config)
        if (saved.data, saved.stages) != (recipe.data, recipe.stages):
            write_text(self.config, recipe.to_toml())

    def remove(self) -> None:
        """Remove the folder of a run that came to nothing."""
        shutil.rmtree(self.path, ignore_errors=True)

    def clean(self, alone: bool = True) -> None:
        """Remove the temporary files of a process that was killed while it wrote.

        alone: the folder is locked, so all of them are such.
        """
        for folder in (self.path, self.checkpoints, self.samples):
            remove_leftovers(folder, alone)


def create(runs: Path, recipe: Recipe) -> RunFolder:
    """Make the next folder NNNN-MODEL-DATA of `runs`, with its config.toml."""
    check_utf8(runs, setting="runs")
    make_folder(runs)
    label = "+".join(_label(source) for source in recipe.data)[:60]
    number, latest = max(_numbered(runs), default=(0, None))
    if latest:  # nobody goes on with a run that was killed before its first checkpoint
        RunFolder(latest).clean(alone=False)
    number += 1
    while True:
        path = runs / f"{number:04d}-{recipe.model}-{label}"
        if not any(taken == number for taken, _ in _numbered(runs)):
            try:
                path.mkdir()
                break
            except FileExistsError:
                pass
            except OSError as error:
                raise write_error(path, error) from error
        number += 1
    folder = RunFolder(path)
    with _whole_or_gone(folder):
        write_text(folder.config, recipe.to_toml())
    return folder


@contextmanager
def _whole_or_gone(folder: RunFolder) -> Iterator[None]:
    """Remove a new run's folder if the block, which fills it, raises."""
    try:
        yield
    except BaseException:
        folder.remove()
        raise


def open_existing(path: Path) -> tuple[RunFolder, Recipe]:
    """Return the run folder `path` and its recipe. UserError if it is not one."""
    folder = RunFolder(path)
    check_utf8(path, setting="resume")
    if not folder.config.is_file():
        run = next((p for p in path.parents[:2] if (p / "config.toml").is_file()), None)
        advice = f" Give the folder that it is in: {run}." if run else ""
        raise UserError(
            f"{path} is not a run folder (it holds no config.toml).{advice}", setting="resume"
        )
    return folder, from_file(folder.config)


def newest(runs: Path, model: str | None, data: Sequence[str], reporter: Reporter) -> Path:
    """Return the newest run of that model and data in `runs` that has a checkpoint.

    UserError if there is none.
    """
    from inpaint_cli.training import checkpoints

    empty = list[str]()
    for _, path in sorted(_numbered(runs), reverse=True):
        try:
            recipe = from_file(path / "config.toml")
        except UserError as error:
            reporter.detail(f"passed over: {error}")
            continue
        if model not in (None, recipe.model) or not is_on(path, recipe, data):
            continue
        if checkpoints.paths(path / "checkpoints"):
            for name in empty:
                reporter.note(f"{runs / name}: passed over, it has no checkpoint")
            return path
        empty.append(path.name)
    what = " ".join(filter(None, [model, *data])) or "anything"
    without = f" (without one: {', '.join(empty)})" if empty else ""
    raise UserError(
        f"no run of {what} with a checkpoint in {runs}/{without}. Start a new one.",
        setting="resume",
    )


def is_on(path: Path, recipe: Recipe, data: Sequence[str]) -> bool:
    """Return whether the run in `path` is on `data`: so typed, or in the same places."""
    if not data:
        return True
    here = tuple(record.place_of(given) or given for given in data)
    if not any(record.place_of(given) for given in data):
        return here == recipe.data
    there = record.places(recipe, record.read(path))
    return here == there or (there == recipe.data == tuple(data))


def recipe_of_new(choices: RecipeChoices) -> Recipe:
    """Return the recipe of a new run. UserError where a stage lacks what it stands on."""
    recipe = choices.recipe()
    weights = file_of(recipe)
    further = further_of(weights, recipe.stages) if weights else None
    trained = kept_of(weights, further) if weights else []
    for stage in recipe.family.stages():
        if stage.name in recipe.stages:
            check_needs(stage, trained, None)
            if stage.name != further:
                stage.check(recipe.config, trained)
            trained.append(stage.name)
    return recipe


def start_new(recipe: Recipe, runs: Path) -> RunFolder:
    """Make the folder of a new run, with what it takes over from the weights it stands on."""
    weights = file_of(recipe)
    if weights is None:
        return create(runs, recipe)
    further = further_of(weights, recipe.stages)
    kept = kept_of(weights, further)
    model = recipe.build()
    take_over(model, recipe.family.stages(), weights)
    folder = create(runs, recipe)
    with _whole_or_gone(folder):
        save_weights(
            folder.weights,
            cast(Model, model),
            family=recipe.model,
            preset=recipe.preset,
            extra={"stages": ",".join(kept), **({"further": further} if further else {})},
        )
    return folder


def resume_run(
    choices: RecipeChoices,
    runs: Path,
    where: str,
    reporter: Reporter,
    accept_changes: bool = False,
) -> tuple[RunFolder, Recipe]:
    """Return the run folder `where`, or NEWEST below `runs`, to go on with, and its recipe.

    accept_changes: other data take the place of the run's. Nothing is written: this may be a plan.
    """
    for setting, value in (
        ("set", choices.settings),
        ("config", choices.config),
        ("preset", choices.preset),
        ("seed", choices.seed is not None),
        ("perceptual", choices.perceptual),
        ("from_weights", choices.weights),
        ("split_map", choices.split_map is not None),
    ):
        if value:
            raise UserError(
                "a resumed run keeps its settings. Start a new run instead.", setting=setting
            )
    path = Path(where)
    if where == NEWEST:
        path = newest(runs, choices.model, choices.data, reporter)
    folder, recipe = open_existing(path)
    if choices.model not in (None, recipe.model):
        raise UserError(
            f"{path} is a run of '{recipe.model}', not of '{choices.model}'.", setting="model"
        )
    if not is_on(path, recipe, choices.data):
        if not accept_changes:
            raise UserError(
                f"{path} is a run on {', '.join(recipe.data)}. Other data need the setting "
                "accept_changes.",
                setting="data",
            )
        recipe = replace(recipe, data=tuple(choices.data))
    if choices.stage and choices.stage not in recipe.stages:
        recipe = _with_stage(folder, recipe, choices.stage)
    facts = record.read(path)
    places, distance = record.places(recipe, facts), record.distance_of(recipe, facts)
    return folder, replace(recipe, places=places, distance=distance)


def _with_stage(folder: RunFolder, recipe: Recipe, name: str) -> Recipe:
    """Add a stage to a run, if what it stands on is finished."""
    stages = {stage.name: stage for stage in recipe.family.stages()}
    if name not in stages:
        raise unknown_name(f"{recipe.model} has no stage", name, stages, setting="stage")
    check_needs(stages[name], folder.finished_stages(), folder)
    wanted = {*recipe.stages, name}
    return replace(recipe, stages=tuple(each for each in stages if each in wanted))


def check_needs(stage: Stage[Any], finished: Sequence[str], folder: RunFolder | None) -> None:
    """Raise UserError if `stage` stands on a stage that is not in `finished`."""
    missing = [name for name in stage.needs if name not in finished]
    if missing:
        where = f" in {folder.path}" if folder else ""
        raise UserError(
            f"'{stage.name}' stands on '{missing[0]}', which is not trained{where}. Train that "
            f"first: name no stage to train all in order, or '{missing[0]}', and resume its run "
            f"with '{stage.name}'.",
            setting="stage",
        )


def _numbered(runs: Path) -> list[tuple[int, Path]]:
    if not runs.is_dir():
        return []
    names = ((re.match(r"(\d{4,})-", path.name), path) for path in runs.iterdir())
    return [(int(match[1]), path) for match, path in names if match and path.is_dir()]


def _label(source: str) -> str:
    """Return the part of a folder name that stands for a data source.

    >>> _label("/home/me/My photos.zip")
    'my-photos'
    """
    return re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-") or "data"
