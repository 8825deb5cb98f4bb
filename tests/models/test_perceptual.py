import pytest
import torch
from torch import Tensor, nn

from inpaint_cli import torchvision_import
from inpaint_cli.errors import UserError
from inpaint_cli.models.perceptual import (
    HEAD_SUMS,
    PerceptualDistance,
    layout_of,
    of_features,
    of_lpips,
    squared_distance,
)
from tests.metrics.perceptual_networks import tiny_distance


def squeeze_trunk() -> dict[str, Tensor]:
    """Return random weights with the names of torchvision's SqueezeNet 1.1."""
    draw = torch.Generator().manual_seed(5)
    torchvision_import.load()
    from torchvision.models import squeezenet1_1

    with torch.device("meta"):
        shapes = {n: t.shape for n, t in squeezenet1_1().state_dict().items()}
    return {
        name: torch.randn(shape, generator=draw) * (2 / max(shape[1:].numel(), 1)) ** 0.5
        for name, shape in shapes.items()
        if name.startswith("features.")
    }


def pictures(n: int, side: int, channels: int = 3) -> Tensor:
    draw = torch.Generator().manual_seed(n)
    return torch.rand(n, channels, side, side, generator=draw) * 2 - 1


def test_the_distance_is_that_of_the_lpips_package() -> None:
    trunk = squeeze_trunk()
    ours = of_lpips("squeeze", trunk)
    import lpips

    with torch.random.fork_rng(devices=[]), pytest.warns(UserWarning, match="weight"):
        theirs = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    names = theirs.net.state_dict()
    theirs.net.load_state_dict({n: trunk["features." + n.split(".", 1)[1]] for n in names})
    a, b = pictures(4, 40).chunk(2)
    with torch.no_grad():
        expected = theirs(a, b).flatten()
    torch.testing.assert_close(ours(a, b), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("net", sorted(HEAD_SUMS))
def test_the_heads_inside_the_lpips_package_are_those_of_version_0_1(net: str) -> None:
    from inpaint_cli.models.perceptual import _heads

    heads = _heads(net)
    assert [float(h.double().sum()) for h in heads] == pytest.approx(HEAD_SUMS[net], abs=1e-5)


def test_nothing_of_it_is_trained_and_the_images_get_a_gradient() -> None:
    distance = tiny_distance()
    a = pictures(2, 9).requires_grad_()
    distance.train()
    distance(a, torch.zeros_like(a)).sum().backward()
    assert not any(p.requires_grad for p in distance.parameters())
    assert not distance.training
    assert a.grad is not None
    assert a.grad.abs().sum() > 0


def test_the_gradient_is_finite_where_no_feature_is_active() -> None:
    class Dead(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [torch.relu(x - 10)]

    a = pictures(1, 4).requires_grad_()
    distance = of_features(Dead(), "dead")(a, torch.ones_like(a))
    distance.sum().backward()
    assert distance.tolist() == [0]
    assert a.grad is not None
    assert bool((a.grad == 0).all())


def test_grey_is_the_same_as_grey_in_three_channels() -> None:
    distance = tiny_distance()
    grey = pictures(2, 8, channels=1)
    other = torch.zeros(2, 3, 8, 8)
    assert torch.equal(distance(grey, other), distance(grey.expand(-1, 3, -1, -1), other))


def test_sides_below_the_smallest_are_enlarged_to_64_and_others_are_left_alone() -> None:
    sizes = []

    class Looking(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            sizes.append(tuple(x.shape[2:]))
            return [x.abs()]

    distance = of_features(Looking(), "looking", minimum_side=31)
    for height, width in [(28, 28), (31, 31), (32, 200), (8, 40)]:
        distance.embedding(torch.zeros(1, 3, height, width))
    assert sizes == [(64, 64), (31, 31), (32, 200), (64, 40)]
    assert distance.resizes(28, 28)
    assert not distance.resizes(31, 31)


def test_under_bfloat16_the_embedding_is_normalised_in_float32() -> None:
    distance = tiny_distance()
    a, b = pictures(2, 12).chunk(2)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = distance(a, b)
        levels = distance.embedding(a)
    assert {level.dtype for level in levels} == {torch.float32}
    torch.testing.assert_close(rounded, distance(a, b), rtol=0.05, atol=1e-4)


def test_the_distance_of_images_is_that_of_their_embeddings() -> None:
    distance = tiny_distance()
    a, b = pictures(6, 7).chunk(2)
    torch.testing.assert_close(
        distance(a, b), squared_distance(distance.embedding(a), distance.embedding(b))
    )
    assert torch.equal(distance(a, a), torch.zeros(3))


def test_building_it_leaves_the_random_numbers_of_the_caller_alone() -> None:
    trunk = squeeze_trunk()
    before = torch.random.get_rng_state()
    of_lpips("squeeze", trunk)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_trunk_is_known_by_its_layout_and_a_wrong_one_is_refused() -> None:
    trunk = squeeze_trunk()
    assert layout_of(trunk) == "squeeze"
    assert layout_of({"features.0.weight": torch.zeros(8, 3, 3, 3)}) is None
    assert layout_of({}) is None
    with pytest.raises(UserError, match=r"mine: no features\.0\.weight of shape .* lpips-alex"):
        of_lpips("alex", trunk, where="mine")
    del trunk["features.12.expand3x3.bias"]
    with pytest.raises(UserError, match=r"features\.12\.expand3x3\.bias"):
        of_lpips("squeeze", trunk)


def test_a_distance_without_heads_says_that_it_is_not_calibrated() -> None:
    distance = of_features(nn.Identity(), "mine")
    assert isinstance(distance, PerceptualDistance)
    assert distance.name == "lpips@mine (uncalibrated)"
    assert not distance.calibrated
    assert tiny_distance().calibrated
