"""Recorded forward passes, likelihoods and preprocessing of the authors' code."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.pcnn.convert import read_config, their_names
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.models.quantise import continuing, to_bytes, to_centres, to_levels
from tests.golden_files import golden
from tests.models.pcnn.golden_folders import folders, network, tensors

pytestmark = [pytest.mark.golden, pytest.mark.pcnn]
each_folder = pytest.mark.parametrize("folder", folders(), ids=lambda path: path.name)


def inputs(folder: Path) -> tuple[Tensor, Tensor]:
    recorded = tensors(folder, "forward")
    return recorded["image_levels"].long(), recorded["mask_visible"].bool()


@each_folder
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 2e-5), (torch.float64, 2e-6)])
def test_logits_are_those_of_the_authors(folder: Path, dtype: torch.dtype, atol: float) -> None:
    model, recorded = network(folder).to(dtype), tensors(folder, "forward")
    with torch.no_grad():
        prior, cond = model(*inputs(folder))
    for name, logits in {
        "prior_logits": prior,
        "cond_logits": cond,
        "logits": prior + cond,
    }.items():
        torch.testing.assert_close(
            logits, recorded[f"eval.{name}"].to(dtype), rtol=0, atol=atol, msg=name
        )


@each_folder
def test_network_inputs_are_those_of_the_authors(folder: Path) -> None:
    model, recorded = network(folder), tensors(folder, "forward")
    levels, visible = inputs(folder)
    scaled = model.scaled(levels)
    shown = torch.cat([scaled * visible, visible.float()], dim=1)
    torch.testing.assert_close(scaled, recorded["x_norm"], rtol=0, atol=1e-7)
    torch.testing.assert_close(shown, recorded["x_cond"], rtol=0, atol=1e-7)


@each_folder
def test_log_prob_is_that_of_the_authors_for_every_item_of_a_batch(folder: Path) -> None:
    model, recorded = network(folder), tensors(folder, "forward")
    levels, visible = inputs(folder)
    ours = model.log_prob(to_bytes(levels, model.levels), visible)
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, recorded["eval.log_prob_hidden"], rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(
        ours, recorded["eval.log_prob_hidden_reference"], rtol=1e-5, atol=1e-4
    )


@each_folder
def test_log_prob_per_entry_and_under_the_prior_alone_are_recorded(folder: Path) -> None:
    model, recorded = network(folder), tensors(folder, "forward")
    levels, visible = inputs(folder)
    with torch.no_grad():
        prior, cond = model(levels, visible)
    for logits, name, summed in ((prior + cond, "log_prob_map", False), (prior, "", True)):
        entries = torch.log_softmax(logits.double(), 1).gather(1, levels[:, None]).squeeze(1)
        if summed:
            expected = recorded["eval.prior_log_prob"]
            torch.testing.assert_close(entries.sum((1, 2, 3)), expected, rtol=1e-6, atol=1e-4)
        else:
            torch.testing.assert_close(entries, recorded[f"eval.{name}"], rtol=0, atol=2e-5)


def test_bytes_are_quantised_as_the_authors_do() -> None:
    recorded = tensors(golden("pcnn"), "preprocess")
    every_byte = torch.arange(256, dtype=torch.uint8)
    for name, levels in recorded.items():
        if name.removeprefix("levels_").isdigit():
            ours = to_levels(every_byte, int(name.removeprefix("levels_")))
            assert torch.equal(ours, levels.long()), name


@pytest.mark.parametrize("count", [2, 3, 5, 16, 32, 100, 255, 256])
def test_every_level_survives_the_way_through_its_byte(count: int) -> None:
    levels = torch.arange(count)
    assert torch.equal(to_levels(to_bytes(levels, count), count), levels)
    assert torch.equal(to_levels(to_centres(levels, count), count), levels)


def test_drawn_levels_are_shown_by_bytes_that_suit_the_visible_ones() -> None:
    every_byte = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    levels, shown = to_levels(every_byte, 32), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    suited = continuing(levels, 32, every_byte, shown)
    assert abs((suited.float() - every_byte.float()).mean().item()) < 0.5
    assert torch.equal(to_levels(suited, 32), levels)
    quantised = to_bytes(levels, 32)
    assert torch.equal(continuing(levels, 32, quantised, shown), quantised)
    assert torch.equal(continuing(levels, 32, every_byte, ~shown), quantised)
    black = torch.zeros_like(every_byte)
    assert (
        continuing(levels, 32, black + (levels == 5) * 47, levels % 5 == 0)[levels == 0].max() == 0
    )


@pytest.mark.parametrize("path", sorted(golden("pcnn").glob("layout_*.json")), ids=lambda p: p.stem)
def test_full_size_networks_have_the_authors_entries_and_counts(path: Path, tmp_path: Path) -> None:
    layout = json.loads(path.read_text())
    (tmp_path / "config.json").write_text(json.dumps(layout["config"]))
    with torch.device("meta"):
        model = PixelConstrainedCNN(read_config(tmp_path / "config.json"))
    assert sum(p.numel() for p in model.parameters()) == layout["parameters"]
    assert sum(p.numel() for p in model.prior.parameters()) == layout["parameters_prior_net"]
    assert sum(p.numel() for p in model.cond.parameters()) == layout["parameters_cond_net"]
    theirs = {name: shape for name, shape, *_ in layout["entries"] if not name.endswith(".mask")}
    ours: set[str] = set()
    for name, tensor in model.state_dict().items():
        parts = their_names(name, model.channels == 3)
        ours.update(parts)
        outputs = sum(theirs[part][0] for part in parts) if tensor.ndim else 0
        assert [outputs, *theirs[parts[0]][1:]][: tensor.ndim] == list(tensor.shape), name
    assert ours == set(theirs)
