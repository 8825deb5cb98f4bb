"""What `inpaint complete` is asked for, checked against its model: the job of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inpaint_cli.commands.family_options import (
    given_family_options,
    ranked_options,
    refuse_foreign,
)
from inpaint_cli.commands.output_options import folder_of
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter

if TYPE_CHECKING:
    from inpaint_cli.api import LoadedModel
    from inpaint_cli.photos.batch import BatchJob
    from inpaint_cli.photos.calibration import Calibration
    from inpaint_cli.photos.holes import HoleSource
    from inpaint_cli.photos.request import CompletionRequest


def job_of(given: Mapping[str, Any], hole: HoleSource, photos: int, reporter: Reporter) -> BatchJob:
    """Return all that a run needs; of the model no more than its facts."""
    from inpaint_cli.api import load_model
    from inpaint_cli.models.external import is_command
    from inpaint_cli.photos.batch import BatchJob
    from inpaint_cli.photos.output import check_count, output_settings

    output = output_settings(given["output"], given["format"], given["quality"], given["keep"])
    check_count(output, given["n"] or output.keep or 1, photos)
    refuse_foreign(given)
    if given["exec_timeout"] is not None and not is_command(given["model"]):
        raise UserError("belongs to --model exec:CMD.", setting="exec_timeout")
    # Later: what is wrong with photos, holes and options is told before torch is loaded.
    loaded = load_model(
        given["model"], given["device"], later=True, exec_timeout=given["exec_timeout"]
    )
    alone = output.file is not None or given["reconstruct"]
    request = request_of(given, loaded, hole, alone, reporter)
    calibration = calibration_of(given, loaded, request, reporter)
    check_fit(given, request.n, loaded)
    check_count(output, request.n, photos)
    tell_of(loaded, reporter)
    return BatchJob(
        loaded.model,
        loaded.name,
        loaded.weights_sha256,
        request,
        hole,
        folder_of(given["output"]),
        rank=given["rank"] is not None,
        metadata=not given["no_metadata"],
        skip_existing=given["skip_existing"],
        overwrite=given["overwrite"],
        sheet=not given["no_sheet"],
        **({"tile": given["tile"]} if given["tile"] else {}),
        output=output,
        calibration=calibration,
        intervals=request.intervals,
        huge=given["huge"],
    )


def request_of(
    given: Mapping[str, Any],
    loaded: LoadedModel,
    hole: HoleSource,
    alone: bool,
    reporter: Reporter,
) -> CompletionRequest:
    """Return what a model is asked for of each photo; alone: one completion, if none says more."""
    from inpaint_cli.api import checked_options
    from inpaint_cli.photos.request import CompletionRequest

    intervals = given["calibration"] is not None
    of_family = given_family_options(given)
    if given["rank"]:
        of_family = ranked_options(loaded, of_family, reporter)
    if not given["reconstruct"]:
        of_family = checked_options(loaded.family, of_family, intervals)
    return CompletionRequest.of_family(
        loaded.family,
        of_family,
        n=given["n"] or (1 if alone else loaded.default_n(given["temperature"])),
        seed=given["seed"],
        temperature=given["temperature"],
        context=given["context"],
        feather=given["feather"],
        detail=given["detail"],
        opaque=hole.own_alpha,
        intervals=intervals,
        reconstruct=given["reconstruct"],
    )


def tell_of(loaded: LoadedModel, reporter: Reporter) -> None:
    """Say what a user should know of a model."""
    if loaded.note:
        reporter.note(f"{loaded.name}: {loaded.note}")
    if loaded.model.size:
        reporter.detail(f"{loaded.name}: {loaded.model.size} pixels across, on {loaded.device}")


def calibration_of(
    given: Mapping[str, Any], loaded: LoadedModel, request: CompletionRequest, reporter: Reporter
) -> Calibration | None:
    """Return the calibration that was given, or the one that ships, if it is of this model.

    UserError where the given one says nothing on what will be drawn.
    """
    from inpaint_cli import zoo
    from inpaint_cli.photos import calibration

    path = given["calibration"] or zoo.calibration_of(loaded.name)
    if given["calibration_anyway"] and given["calibration"] is None:
        raise UserError("goes with --calibration FILE.", setting="calibration_anyway")
    if path is None:
        return None
    chosen = calibration.load(path)
    why = loaded.calibrated_otherwise(chosen, request)
    if why is None or given["calibration_anyway"]:
        if why:
            reporter.warn(f"{path}: {why}; taken anyway, so nothing is promised")
        return chosen
    if given["calibration"] is None:
        return None
    raise UserError(
        f"{why}. Change that, or take it anyway with --calibration-anyway.", setting="calibration"
    )


def check_fit(given: Mapping[str, Any], n: int, loaded: LoadedModel) -> None:
    """Raise UserError for what the model cannot do, before the first photo is read."""
    from inpaint_cli.photos.completing import check_n

    check_n(n, loaded.model, loaded.name)
    if given["reconstruct"] and (why := loaded.model.no_reconstruction()):
        raise UserError(f"{loaded.name} {why}", setting="reconstruct")
    if given["temperature"] is not None and not loaded.model.stochastic:
        raise UserError(f"{loaded.name} is deterministic and has none.", setting="temperature")
    if given["rank"] and not loaded.model.has_log_prob:
        raise UserError(
            f"log-prob: {loaded.name} has no likelihood. Take a model with one, such as pcnn, or "
            "leave --rank out.",
            setting="rank",
        )
