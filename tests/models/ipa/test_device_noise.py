"""Noise that is drawn on the device."""

import pytest
import torch

from inpaint_cli.models.ipa.objective import OnDevice, training_draw
from inpaint_cli.randomness import Noise
from tests.models.ipa.small_vaes import random_vae

CPU = torch.device("cpu")


def noise(indices: list[int], epoch: int = 0) -> Noise:
    return Noise.of_samples(0, "test", epoch, indices)


def test_a_samples_numbers_depend_on_its_key_alone() -> None:
    whole = OnDevice(noise([3, 5, 7]), 6, CPU)(2, 3)
    assert torch.equal(whole[1:2], OnDevice(noise([5]), 6, CPU)(2, 3))
    assert not torch.equal(whole, OnDevice(noise([3, 5, 7], epoch=1), 6, CPU)(2, 3))
    assert len(set(whole.flatten().tolist())) == whole.numel()


def test_numbers_are_handed_out_in_turn_and_are_standard_normal() -> None:
    draw, again = (OnDevice(noise([1, 2]), 10_000, CPU) for _ in range(2))
    parts = torch.cat([draw(4, 500), draw(8, 1000).view(2, 16, 500)], 1)
    assert torch.equal(parts.flatten(1), again(10_000))
    assert parts.mean().abs() < 0.03
    assert abs(parts.std() - 1) < 0.03


def test_on_a_cpu_training_takes_the_noise_itself() -> None:
    shared = noise([1])
    assert torch.equal(training_draw(random_vae(), shared)(2, 4, 4), noise([1]).normal(2, 4, 4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_draws_cover_every_layer() -> None:
    model = random_vae().cuda()
    draw = training_draw(model, noise([1, 2]))
    shapes = model.config.latent_shapes
    drawn = [draw(*shape) for shape in shapes]
    assert [tuple(z.shape) for z in drawn] == [(2, *shape) for shape in shapes]
    assert all(z.is_cuda for z in drawn)
