"""The recorded layouts and weights of the authors' files give their presets and completions."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.foreign import read_state
from inpaint_cli.models.latent_codes import sampling
from inpaint_cli.models.latent_codes.config import PRESETS
from inpaint_cli.models.latent_codes.convert import (
    NEST,
    ForeignNetwork,
    chosen_of,
    fill,
    from_authors,
    from_taming,
    parts_in,
)
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.randomness import Noise
from tests.models.latent_codes.golden_parts import FOLDER, part
from tests.models.latent_codes.test_golden_pipeline import each_image, pipeline, task
from tests.models.latent_codes.test_golden_pipeline import model as recorded_model

LAYOUTS = FOLDER / "layouts"
NAMES = ("vqgan_256", "restrictive_encoder_256", "transformer_256")

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]


# Full-size layouts: names and shapes without values.


@cache
def parts_of(layout: str) -> list[ForeignNetwork]:
    shapes = json.loads((LAYOUTS / f"{layout}.json").read_text())
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    return parts_in(state, Path(layout))


def published(*layouts: str) -> LatentCodes:
    return from_authors([part for layout in layouts for part in parts_of(layout)])


@pytest.mark.parametrize(
    ("decoder", "preset", "changes"),
    [
        ("decoder_256", "places256", {"refinement": False}),
        ("decoder_partial_256", "places256", {"refinement": False, "partial": True}),
        ("joint_decoder_256", "places256", {}),
        ("joint_decoder_512", "places512", {}),
    ],
)
def test_the_published_layouts_are_the_published_presets(
    decoder: str, preset: str, changes: dict[str, Any]
) -> None:
    model = published(decoder, *NAMES)
    assert model.config == replace(PRESETS[preset], disc_width=0, **changes)
    assert not model.discriminators


def test_each_published_layout_holds_what_its_readme_says() -> None:
    def kinds(layout: str) -> list[str]:
        return [part.name for part in parts_of(layout)]

    assert kinds("vqgan_256") == ["vqgan"]
    assert kinds("restrictive_encoder_256") == ["encoder", "vqgan"]
    assert kinds("transformer_256") == ["transformer", "vqgan"]
    assert kinds("decoder_256") == kinds("decoder_partial_256") == ["decoder", "vqgan"]
    assert kinds("joint_decoder_256") == ["refinement", "decoder", "vqgan"]


def test_the_layout_of_taming_at_full_size_is_that_of_256_pixels() -> None:
    with torch.device("meta"):
        config = from_taming(parts_of("vqgan_256")).config
    assert (config.size, config.attention, config.codes, config.width) == (256, (16,), 1024, 128)


# Recorded values.


def within(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> LatentCodes:
    """The networks of the recording, read from files in the layouts of a joint training.

    Not through `convert`: the recorded decoder and refinement are narrower than the VQGAN, which
    no released model's are and no config says.
    """
    folder = tmp_path_factory.mktemp("theirs")
    vqgan = part("vqgan")[1]
    decoder = {**part("decoder_plain")[1], **within(NEST, vqgan)}
    states = {
        "encoder": {**part("restrictive")[1], **within(NEST, vqgan)},
        "transformer": part("transformer")[1],
        "joint": {**part("refine")[1], **within(NEST, decoder)},
    }
    parts = []
    for name, state in states.items():
        torch.save({"state_dict": state}, folder / name)
        parts += parts_in(read_state(folder / name), Path(name))
    model = copy.deepcopy(recorded_model())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    fill(model, chosen_of(parts).values())
    return model


@each_image
def test_a_converted_model_completes_as_recorded(
    item: int, converted: LatentCodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(pipeline()["gumbel"][:, item : item + 1].float())
    monkeypatch.setattr(sampling, "gumbel_of", lambda noise, device: lambda *shape: next(steps))
    noise = Noise.of_completions(0, b"not used", [0])
    completed = converted.complete(*task(item), noise, keep_seams=True)
    assert torch.equal(completed.details["tokens"].flatten(), pipeline()["tokens"][item].long())
    theirs = pipeline()["final_u8"][item : item + 1]
    assert (completed.images.int() - theirs.int()).abs().max() <= 1
