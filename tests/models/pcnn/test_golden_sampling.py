"""Recorded samples of the authors' code: the same uniforms must give exactly the same levels."""

from pathlib import Path

import pytest
import torch

from inpaint_cli.models.pcnn.incremental import IncrementalSampler
from inpaint_cli.models.pcnn.sampling import probabilities, revealed_at
from inpaint_cli.models.quantise import to_bytes
from tests.models.pcnn.golden_folders import folders, network, tensors

pytestmark = [pytest.mark.golden, pytest.mark.pcnn]
each_folder = pytest.mark.parametrize("folder", folders(), ids=lambda path: path.name)


def tasks(folder: Path) -> list[str]:
    names = tensors(folder, "sample")
    return sorted(name.removesuffix(".samples") for name in names if name.endswith(".samples"))


@each_folder
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_recorded_uniforms_give_the_recorded_samples(folder: Path, dtype: torch.dtype) -> None:
    model, recorded = network(folder), tensors(folder, "sample")
    assert tasks(folder)
    for task in tasks(folder):
        levels = recorded[f"{task}.image_levels"].long()[None]
        visible = recorded[f"{task}.mask_visible"].bool()[None]
        temperature = recorded[f"{task}.temperature"].item()
        sampler = IncrementalSampler(model, levels, visible, dtype)
        samples = sampler.sample(recorded[f"{task}.uniforms"], temperature)
        assert torch.equal(samples.levels, recorded[f"{task}.samples"].long()), task
        torch.testing.assert_close(
            samples.log_prob, recorded[f"{task}.log_prob"], rtol=1e-6, atol=1e-4, msg=task
        )


@each_folder
def test_one_forward_of_the_finished_samples_gives_the_recorded_logits(folder: Path) -> None:
    model, recorded = network(folder), tensors(folder, "sample")
    samples = recorded["a.samples"].long()
    visible = recorded["a.mask_visible"].bool()[None].expand(len(samples), -1, -1, -1)
    with torch.no_grad():
        prior, cond = model(samples, visible)
    torch.testing.assert_close(prior + cond, recorded["a.final_logits"], rtol=0, atol=3e-5)


@each_folder
def test_log_prob_of_the_recorded_samples_is_recorded(folder: Path) -> None:
    model, recorded = network(folder), tensors(folder, "sample")
    for task in tasks(folder):
        samples = recorded[f"{task}.samples"]
        visible = recorded[f"{task}.mask_visible"].bool()[None].expand(len(samples), -1, -1, -1)
        ours = model.log_prob(to_bytes(samples, model.levels), visible)
        for name, rtol in (("log_prob", 1e-6), ("log_prob_reference", 1e-5)):
            torch.testing.assert_close(ours, recorded[f"{task}.{name}"], rtol=rtol, atol=1e-4)


def test_the_progression_of_figure_8_is_recorded() -> None:
    with_progression = [f for f in folders() if "progression.prob_one" in tensors(f, "sample")]
    assert with_progression
    for folder in with_progression:
        model, recorded = network(folder), tensors(folder, "sample")
        expected = recorded["progression.prob_one"]
        revealed = recorded["progression.revealed"].bool()[:, None]
        visible = revealed[:1]
        assert torch.equal(revealed_at(visible, len(expected)), revealed)
        sample = recorded["progression.sample"].long()[None]
        ours = probabilities(model, sample, visible, revealed)[:, 1, 0]
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
