"""The incremental sampler is the naive loop, at any size, and no completion knows of another."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.pcnn.incremental import IncrementalSampler
from inpaint_cli.models.pcnn.networks import PixelConstrainedCNN
from inpaint_cli.randomness import Noise
from tests.models.pcnn.small_networks import random_network, random_task


def uniforms_for(levels: Tensor, n: int, seed: int = 0) -> Tensor:
    return Noise.of_completions(seed, b"uniforms", range(n)).uniform(*levels.shape[1:])


def naive(
    model: PixelConstrainedCNN,
    levels: Tensor,
    visible: Tensor,
    uniforms: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Run both networks in full for every entry, in float64: the authors' loop."""
    model = model.double()
    n = len(uniforms)
    x = (levels * visible).expand(n, -1, -1, -1).clone()
    shown = visible.expand(n, -1, -1, -1)
    log_prob = torch.zeros(n, dtype=torch.float64)
    with torch.no_grad():
        for i, j in (~visible[0, 0]).nonzero().tolist():
            for c in range(model.channels):
                logits = sum(model(x, shown))[:, :, c, i, j]
                cdf = torch.softmax(logits / temperature, 1).cumsum(1)[:, :-1]
                x[:, c, i, j] = (cdf <= uniforms[:, c, i, j, None]).sum(1)
                log_prob += torch.log_softmax(logits, 1).gather(1, x[:, c, i, j, None])[:, 0]
    model.float()
    return x, log_prob


@given(
    channels=st.sampled_from([1, 3]),
    levels=st.sampled_from([2, 5]),
    kernel=st.sampled_from([3, 5, 7]),
    depth=st.integers(2, 5),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_samples_are_those_of_the_naive_loop(
    channels: int,
    levels: int,
    kernel: int,
    depth: int,
    height: int,
    width: int,
    share: float,
    seed: int,
) -> None:
    model = random_network(channels=channels, levels=levels, depth=depth, kernel=kernel, seed=seed)
    image, visible = random_task(model, height, width, seed, share)
    uniforms = uniforms_for(image, 3, seed)
    ours = IncrementalSampler(model, image, visible).sample(uniforms, 0.8)
    x, log_prob = naive(model, image, visible, uniforms, 0.8)
    assert torch.equal(ours.levels, x)
    torch.testing.assert_close(ours.log_prob, log_prob, rtol=0, atol=1e-9)


def test_a_single_column_is_sampled_as_the_naive_loop_does() -> None:
    model = random_network(channels=1, levels=5, depth=4, kernel=3)
    image, visible = random_task(model, 6, 1, seed=2)
    visible[..., :2, :] = True
    uniforms = uniforms_for(image, 1)
    before = {name: tensor.clone() for name, tensor in model.double().state_dict().items()}
    ours = IncrementalSampler(model, image, visible).sample(uniforms)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    x, log_prob = naive(model, image, visible, uniforms, 1.0)
    assert torch.equal(ours.levels, x)
    torch.testing.assert_close(ours.log_prob, log_prob, rtol=0, atol=1e-9)


def test_completion_i_is_the_same_for_every_n_and_batch() -> None:
    model = random_network(channels=3, levels=8)
    levels, visible = random_task(model, 8, 8, seed=5)
    uniforms = uniforms_for(levels, 9)
    sampler = IncrementalSampler(model, levels, visible)
    together = sampler.sample(uniforms)
    apart = [sampler.sample(part) for part in (uniforms[i : i + 2] for i in range(0, 9, 2))]
    assert torch.equal(together.levels, torch.cat([part.levels for part in apart]))
    torch.testing.assert_close(
        together.log_prob, torch.cat([part.log_prob for part in apart]), rtol=0, atol=1e-10
    )


def test_nothing_depends_on_what_lies_under_the_hole() -> None:
    model = random_network(channels=3, levels=8)
    levels, visible = random_task(model, 6, 6, seed=6)
    other = torch.where(visible, levels, 7 - levels)
    uniforms = uniforms_for(levels, 4)
    first = IncrementalSampler(model, levels, visible).sample(uniforms)
    second = IncrementalSampler(model, other, visible).sample(uniforms)
    assert torch.equal(first.levels, second.levels)
    assert torch.equal(first.log_prob, second.log_prob)


def test_sampling_leaves_the_mode_the_weights_and_the_global_generator_alone() -> None:
    model = random_network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    levels, visible = random_task(model, 6, 6, seed=7)
    image = levels.to(torch.uint8) * 255
    first = model.complete(image, visible, Noise.of_completions(0, b"k", range(3)), trace=True)
    again = model.eval().complete(image, visible, Noise.of_completions(0, b"k", range(3)))
    assert torch.equal(first.images, again.images)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_float32_samples_are_consistent_with_one_forward_of_the_finished_image() -> None:
    model = random_network(channels=3, levels=16, depth=6)
    levels, visible = random_task(model, 8, 8, seed=8)
    uniforms = uniforms_for(levels, 4)
    drawn = IncrementalSampler(model, levels, visible, torch.float32).sample(uniforms).levels
    with torch.no_grad():
        logits = sum(model(drawn, visible.expand(4, -1, -1, -1))).double()
    cdf = torch.softmax(logits, 1).cumsum(1)[:, :-1]
    expected = (cdf <= uniforms[:, None]).sum(1)
    clear = ((cdf - uniforms[:, None]).abs() > 1e-5).all(1) & ~visible
    assert clear.any()
    assert torch.equal(drawn[clear], expected[clear])


def test_a_low_temperature_gives_the_likeliest_level() -> None:
    model = random_network(levels=8)
    levels, visible = random_task(model, 5, 5, seed=9)
    cold = IncrementalSampler(model, levels, visible).sample(uniforms_for(levels, 3), 1e-3).levels
    assert torch.equal(cold[0], cold[1])
    assert torch.equal(cold[0], cold[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_temperature_zero_takes_the_likeliest_level_of_every_value_in_turn(channels: int) -> None:
    model = random_network(channels=channels, levels=8)
    levels, visible = random_task(model, 5, 5, seed=9)
    sampler = IncrementalSampler(model, levels, visible)
    drawn = sampler.sample(uniforms_for(levels, 2), 0.0)
    assert torch.equal(drawn.levels[0], drawn.levels[1])
    assert torch.equal(drawn.log_prob[:1], drawn.log_prob[1:])
    with torch.no_grad():
        logits = sum(model.double()(drawn.levels[:1], visible))
    hidden = ~visible.expand_as(levels)
    assert torch.equal(logits.argmax(1)[hidden], drawn.levels[:1][hidden])
    log_p = torch.log_softmax(logits, 1).amax(1)[hidden].sum()
    assert drawn.log_prob[0] == pytest.approx(float(log_p), rel=1e-9)


@pytest.mark.parametrize("temperature", [-0.5, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    model = random_network()
    levels, visible = random_task(model, 5, 5, seed=9)
    noise = Noise.of_completions(0, b"k", range(1))
    with pytest.raises(UserError, match="temperature"):
        model.complete(levels.to(torch.uint8), visible, noise, temperature=temperature)


def test_the_trace_shows_the_mask_first_and_the_sample_last() -> None:
    model = random_network(levels=2)
    levels, visible = random_task(model, 6, 6, seed=10)
    image = levels.to(torch.uint8) * 255
    result = model.complete(image, visible, Noise.of_completions(0, b"k", range(2)), trace=True)
    trace = result.details["trace"]
    assert trace.dtype == torch.uint8
    assert trace.shape[1:] == (6, 6, 3)
    shown = visible[0, 0]
    assert torch.equal(trace[0][shown], image[0, 0][shown][:, None].expand(-1, 3))
    assert torch.equal(trace[-1], result.images[0, 0][..., None].expand(-1, -1, 3))
