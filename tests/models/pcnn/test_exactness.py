"""On images small enough to list every completion, probabilities are exact and samples follow."""

import itertools
import math

import torch
from torch import Tensor

from inpaint_cli.models.pcnn.incremental import IncrementalSampler
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.models.quantise import to_bytes, to_levels
from inpaint_cli.randomness import Noise
from tests.models.pcnn.small_networks import random_network, random_task


def every_completion(model: PixelConstrainedCNN, levels: Tensor, visible: Tensor) -> Tensor:
    """Return all K^hidden images, levels [M, C, H, W], hidden entries counting in raster order."""
    hidden = (~visible).expand_as(levels)[0]
    codes = itertools.product(range(model.levels), repeat=int(hidden.sum()))
    values = torch.tensor(list(codes))
    images = levels.expand(len(values), -1, -1, -1).clone()
    images[:, hidden] = values
    return images


def exact_probabilities(model: PixelConstrainedCNN, images: Tensor, visible: Tensor) -> Tensor:
    pixels = to_bytes(images, model.levels)
    parts = [pixels[start : start + 8192] for start in range(0, len(pixels), 8192)]
    return torch.cat([model.log_prob(x, visible.expand(len(x), -1, -1, -1)) for x in parts]).exp()


def test_probabilities_of_all_completions_of_a_4x4_image_sum_to_one() -> None:
    model = random_network()
    levels, visible = torch.zeros(1, 1, 4, 4, dtype=torch.long), torch.zeros(1, 1, 4, 4).bool()
    images = every_completion(model, levels, visible)
    assert len(images) == 2**16
    total = exact_probabilities(model, images, visible).sum().item()
    assert math.isclose(total, 1, abs_tol=1e-5)  # 65 536 float32 forward passes


def test_probabilities_of_all_completions_of_a_colour_image_sum_to_one() -> None:
    model = random_network(channels=3, levels=3)
    levels, _ = random_task(model, 2, 2, seed=2)
    visible = torch.tensor([[True, False], [False, True]])[None, None]
    images = every_completion(model, levels, visible)
    assert len(images) == 3**6
    assert math.isclose(exact_probabilities(model, images, visible).sum().item(), 1, abs_tol=1e-5)


def test_sampled_frequencies_match_the_probabilities() -> None:
    model = random_network(seed=3)
    levels, visible = random_task(model, 4, 4, seed=3, hidden_share=0.4)
    images = every_completion(model, levels, visible)
    probabilities = exact_probabilities(model, images, visible)
    hidden = (~visible)[0, 0]
    n = 20_000
    uniforms = Noise.of_completions(0, b"frequencies", range(n)).uniform(1, 4, 4)
    drawn = IncrementalSampler(model, levels, visible).sample(uniforms).levels[:, 0]
    assert torch.equal(drawn[:, ~hidden], levels[0, 0][~hidden].expand(n, -1))
    weights = 2 ** torch.arange(int(hidden.sum())).flip(0)
    counts = torch.bincount((drawn[:, hidden] * weights).sum(1), minlength=len(images)).double()
    # Pearson's chi-square over the cells with five or more expected, the rest as one cell.
    expected = probabilities * n
    large = expected >= 5
    cells = torch.cat([counts[large], counts[~large].sum()[None]])
    wanted = torch.cat([expected[large], expected[~large].sum()[None].clamp_min(1e-9)])
    statistic = ((cells - wanted).square() / wanted).sum().item()
    freedom = len(cells) - 1
    assert freedom > 10
    assert statistic < freedom + 4 * math.sqrt(2 * freedom)


def test_completing_returns_the_log_prob_of_the_completed_images() -> None:
    model = random_network(channels=3, levels=32)
    levels, visible = random_task(model, 6, 5, seed=4)
    image = to_bytes(levels, model.levels) + (levels < 31).to(torch.uint8)  # not canonical bytes
    result = model.complete(image, visible, Noise.of_completions(0, b"x", range(5)))
    assert result.log_prob is not None
    again = model.log_prob(result.images, visible.expand(5, -1, -1, -1))
    torch.testing.assert_close(result.log_prob, again, rtol=1e-5, atol=1e-4)
    shown = visible.expand(5, 3, -1, -1)
    assert torch.equal(result.images[shown], image.expand(5, -1, -1, -1)[shown])
    assert to_levels(result.images, 32).max() <= 31
