"""What autoencoders make of the originals, beside completions: figures, tables, refusals."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.metrics.images import psnr_of
from inpaint_cli.metrics.options import order_of
from inpaint_cli.metrics.score import REMARK, reconstructing
from inpaint_cli.metrics.tables import text_of
from inpaint_cli.metrics.targets import ModelTarget, ReconstructionTarget, Target
from inpaint_cli.reporting import Reporter
from tests.metrics.score_kit import QUIET, SIDE, check_schema, contestant, scoring, target
from tests.pretend_model import PretendModel

NAMES = ("psnr", "mae", "crps", "coverage", "nll", "fid")
Documents = list[dict[str, Any]]


class Dimming(PretendModel):
    """A model that gives pictures back four levels darker, but for the darkest values."""

    def no_reconstruction(self) -> None:
        return

    def reconstruct(self, image: Tensor) -> Tensor:
        return image.clamp_min(4) - 4


def completing(name: str = "dimming", **options: Any) -> ModelTarget:
    return target(count=10, who=contestant(name, Dimming(SIDE)), **options)


def both(*targets: ModelTarget, names: tuple[str, ...] = NAMES, **options: Any) -> Documents:
    every: list[Target] = [*targets, *reconstructing(targets, names, QUIET)]
    return scoring(names, allow_biased=True, **options).run(every)


@pytest.fixture(scope="module")
def documents() -> Documents:
    return both(completing())


def entries(document: dict[str, Any]) -> dict[str, Any]:
    return {entry["params"]["label"]: entry for entry in document["metrics"]}


def test_figures_are_of_whole_pictures_against_their_originals(documents: Documents) -> None:
    reported, one = entries(documents[1]), completing()
    cases = [one.case(index) for index in range(10)]
    errors = [(case.truth.double() - case.truth.clamp_min(4) + 4) for case in cases]
    psnr = [psnr_of(float(error.square().mean())) for error in errors]
    assert reported["psnr"]["value"] == pytest.approx(np.mean(psnr))
    assert reported["psnr"]["se_method"] == "image se within ranges"
    hidden = [
        float(error[:, ~case.visible].mean())
        for error, case in zip(errors, cases, strict=True)
        if case.visible is not None
    ]
    assert reported["mae-hole"]["value"] == pytest.approx(np.mean(hidden) / 255)
    assert reported["mae-hole"]["value"] < entries(documents[0])["mae-hole"]["value"]
    assert reported["fid@pixels8"]["n_images"] == 10


def test_a_report_says_that_nothing_was_completed(documents: Documents) -> None:
    for document in documents:
        check_schema(document)
    drawn, given = documents
    assert given["model"]["name"] == "dimming (reconstruction)"
    done = given["protocol"]["completions"]
    assert (done["source"], done["k"], done["composited"]) == ("reconstruction", 1, False)
    assert given["protocol"]["dataset"] == drawn["protocol"]["dataset"]
    assert given["protocol"]["masks"] == drawn["protocol"]["masks"]
    assert given["refused"] == []  # what says nothing on it is not asked of it
    assert {entry["name"] for entry in given["metrics"]} == {"psnr", "mae", "fid"}
    assert {entry["k"] for entry in given["metrics"]} == {1}


def test_it_stands_in_a_column_beside_the_completions_and_is_not_marked(
    documents: Documents,
) -> None:
    lines = text_of(documents).splitlines()
    assert "dimming | dimming (reconstruction) · toys" in lines[0]
    assert "K=1 or 3" in lines[0]
    assert lines[1].split() == ["metric", "dimming", "dimming", "(reconstruction)", "notes"]
    assert "≠" not in text_of(documents)
    assert all("paired" not in entry["params"] for entry in documents[1]["metrics"])


def test_reconstructions_of_two_models_are_compared_with_each_other() -> None:
    first, second = completing(), completing("other")
    one, two, given, other = both(first, second, names=("mae",))
    paired = [entries(document)["mae"]["params"].get("paired") for document in (given, other)]
    assert paired[0] is None
    assert paired[1]["against"] == "dimming (reconstruction)"
    assert (one["model"]["name"], two["model"]["name"]) == ("dimming", "other")
    assert len(text_of([one, two, given, other]).split("\n\n")) == 1


def test_ranges_and_kinds_of_masks_reach_the_figures_of_the_hole() -> None:
    _, given = both(completing(), names=("mae",), by_visible=True)
    assert set(entries(given)["mae-hole"]["groups"]) >= {"0-20", "80-100"}
    kinds = [completing(masks=kind) for kind in ("centre", "box-80")]
    drawn_and_given = both(*kinds, names=("mae", "fid-agg"))
    names = [document["model"]["name"] for document in drawn_and_given]
    assert names == ["dimming"] * 2 + ["dimming (reconstruction)"] * 2 + ["dimming"]
    blocks = text_of(drawn_and_given).split("\n\n")
    heads = [block.splitlines()[1].split() for block in blocks]
    assert heads[0] == ["metric", "centre", "box-80", "together", "notes"]
    assert heads[1] == ["metric", "centre", "box-80", "notes"]


def test_pictures_larger_than_the_model_are_seen_at_its_size() -> None:
    one = completing()
    one.setting = one.setting.__class__(SIDE, SIDE, 3, windows=True)
    given = ReconstructionTarget(one).case(0)
    assert torch.equal(given.completions[0], given.truth.clamp_min(4) - 4)
    assert ReconstructionTarget(one).facts().model["sampler"] == {"at": "its own size"}


def test_models_without_an_autoencoder_are_told_of_or_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = target(who=contestant("plain"))
    targets = reconstructing([plain, completing()], NAMES, Reporter())
    assert [one.name for one in targets] == ["dimming (reconstruction)"]
    stderr = capsys.readouterr().err
    assert "no reconstruction: plain has no autoencoder" in stderr
    assert REMARK in stderr
    with pytest.raises(UserError, match=r"^reconstruct: plain has no autoencoder"):
        reconstructing([plain], NAMES, QUIET)
    with pytest.raises(UserError, match="none of these metrics compares a picture"):
        reconstructing([completing()], ("crps", "nll"), QUIET)


def test_folders_have_no_autoencoder() -> None:
    with pytest.raises(UserError, match="reconstruct: belongs to models"):
        order_of([], {"folders": ("here",), "reconstruct": True})
    assert order_of(["telea"], {"reconstruct": True}).reconstruct
    assert not order_of(["telea"], {}).reconstruct


def test_a_model_s_reconstruction_is_measured_apart_from_its_completions() -> None:
    one = completing()
    assert ReconstructionTarget(one).fingerprint() != one.fingerprint()
