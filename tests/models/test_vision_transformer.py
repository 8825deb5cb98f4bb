"""Vision transformers: torch's own layers, and torch-fidelity's CLIP, compute the same."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli.errors import UserError
from inpaint_cli.metrics import inception
from inpaint_cli.models import vision_transformer as vit

DINO, GELU = "vit_small_patch14_dinov2", "vit_base_patch32_clip_224"
CLIP = "vit_base_patch32_clip_quickgelu_224"
SMALL = replace(vit.LAYOUTS[DINO], patch=4, width=24, heads=3, grid=5, depth=2)


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give every weight a value of its own: as made, factors are 1 and embeddings 0."""
    torch.manual_seed(seed)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.3)
    return network.eval().requires_grad_(False)


def small(**changes: Any) -> vit.VisionTransformer:
    network = randomised(vit.VisionTransformer(replace(SMALL, **changes)))
    assert isinstance(network, vit.VisionTransformer)
    return network


def test_a_block_is_torchs_own_layer_where_factors_are_one() -> None:
    block = randomised(vit.Block(SMALL))
    assert isinstance(block, vit.Block)
    for name, weights in block.named_parameters():
        if name.endswith("gamma"):
            nn.init.ones_(weights)
    width = SMALL.width
    layer = nn.TransformerEncoderLayer(
        width, SMALL.heads, 4 * width, 0.0, "gelu", SMALL.eps, batch_first=True, norm_first=True
    )
    names = {"attn.qkv.": "self_attn.in_proj_", "attn.proj": "self_attn.out_proj"}
    names |= {"mlp.fc1": "linear1", "mlp.fc2": "linear2"}
    state = {n: t for n, t in block.state_dict().items() if not n.startswith("ls")}
    for theirs, ours in names.items():
        state = {n.replace(theirs, ours): t for n, t in state.items()}
    layer.load_state_dict(state)
    tokens = torch.randn(2, 7, width)
    # Of values of about 10: the two add up in another order.
    assert torch.allclose(block(tokens), layer.eval()(tokens), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("width", [24, 48])
def test_attention_is_torchs_own(width: int) -> None:
    attention = randomised(vit.Attention(width, 3))
    theirs = nn.MultiheadAttention(width, 3, batch_first=True)
    state = attention.state_dict()
    theirs.load_state_dict(
        {
            "in_proj_weight": state["qkv.weight"],
            "in_proj_bias": state["qkv.bias"],
            "out_proj.weight": state["proj.weight"],
            "out_proj.bias": state["proj.bias"],
        }
    )
    tokens = torch.randn(2, 5, width)
    assert torch.allclose(attention(tokens), theirs(tokens, tokens, tokens)[0], atol=1e-5)


def test_the_quick_activation_is_near_gelu_and_not_gelu() -> None:
    x = torch.linspace(-4, 4, 101)
    quick, exact = vit.QuickGELU()(x), nn.GELU()(x)
    assert 0.005 < float((quick - exact).abs().max()) < 0.03
    assert float(vit.QuickGELU()(torch.zeros(1))) == 0


def test_without_positions_the_order_of_patches_is_unseen() -> None:
    network = small()
    image = torch.randn(1, 3, 20, 20)
    moved = torch.cat([image[..., 8:], image[..., :8]], dim=3)
    assert not torch.allclose(network(image), network(moved), atol=1e-3)
    nn.init.zeros_(network.pos_embed)
    assert torch.allclose(network(image), network(moved), atol=1e-5)


def test_blocks_whose_factors_are_zero_leave_the_class_token() -> None:
    network = small()
    for name, weights in network.named_parameters():
        if name.endswith("gamma"):
            nn.init.zeros_(weights)
    expected = network.norm(network.cls_token[:, 0] + network.pos_embed[:, 0])
    tokens = network(torch.randn(3, 3, 20, 20))
    assert torch.allclose(tokens, expected.expand(3, -1))


def test_positions_are_interpolated_and_that_of_the_class_is_not() -> None:
    network = small()
    assert torch.equal(network._positions((5, 5)), network.pos_embed)
    fitted = network._positions((3, 4))
    assert fitted.shape == (1, 13, 24)
    assert torch.equal(fitted[:, 0], network.pos_embed[:, 0])
    nn.init.constant_(network.pos_embed, 0.5)
    assert torch.allclose(network._positions((3, 4)), torch.tensor(0.5))
    assert network(torch.randn(2, 3, 12, 16)).shape == (2, 24)


@pytest.mark.parametrize("name", list(vit.LAYOUTS))
def test_pictures_are_shown_as_the_network_was_trained(name: str) -> None:
    layout = replace(vit.LAYOUTS[name], patch=56, width=24, heads=2, depth=1, projected=0)
    network = randomised(vit.VisionTransformer(layout))
    assert isinstance(network, vit.VisionTransformer)
    images = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    mean, deviation = (
        torch.tensor(values)[:, None, None] for values in (layout.mean, layout.deviation)
    )
    shown = (images / 255 - mean) / deviation
    features, classes = network.outputs(images)
    assert classes is None
    assert torch.allclose(features, network(shown), atol=1e-5)


def random_state(name: str) -> dict[str, Tensor]:
    torch.manual_seed(0)
    with torch.device("meta"):
        state = vit.VisionTransformer(vit.LAYOUTS[name]).state_dict()
    return {n: torch.randn(t.shape) * 0.05 for n, t in state.items()}


def test_clip_is_that_of_torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CLIP, GELU):  # a narrow one is as good
        smaller = replace(vit.LAYOUTS[name], width=64, heads=4, projected=16, depth=2)
        monkeypatch.setitem(vit.LAYOUTS, name, smaller)
    theirs = inception.library("torch_fidelity.feature_extractor_clip").VisionTransformer(
        input_resolution=224, patch_size=32, width=64, layers=2, heads=4, output_dim=16
    )
    randomised(theirs)
    state = {f"visual.{name}": tensor for name, tensor in theirs.state_dict().items()}
    ours = vit.load({**state, "logit_scale": torch.ones(())}, CLIP, "x")
    images = torch.randn(2, 3, 224, 224)
    expected = theirs(images)
    assert float(expected.std()) > 0.1
    assert torch.allclose(ours(images), expected, atol=1e-4, rtol=1e-4)
    gelu = vit.load(state, GELU, "x")
    assert not torch.allclose(gelu(images), expected, atol=1e-3)


def test_metas_file_holds_what_timms_does_and_a_token_of_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(vit.LAYOUTS, DINO, replace(vit.LAYOUTS[DINO], depth=1))
    state = random_state(DINO)
    ours = vit.load(state, DINO, "x")
    theirs = vit.load({**state, "mask_token": torch.zeros(1, 384)}, DINO, "x")
    images = torch.randint(0, 256, (1, 3, 40, 60), dtype=torch.uint8)
    assert torch.equal(ours.outputs(images)[0], theirs.outputs(images)[0])
    assert ours.outputs(images)[0].shape == (1, 384)


@pytest.mark.parametrize("change", ["missing", "left over", "shape", "another network"])
def test_weights_that_do_not_fit_are_named(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vit.LAYOUTS, DINO, replace(vit.LAYOUTS[DINO], depth=1))
    state = random_state(DINO)
    if change == "missing":
        del state["blocks.0.attn.qkv.bias"]
    elif change == "left over":
        state["blocks.0.attn.rel"] = torch.zeros(1)
    elif change == "shape":
        state["blocks.0.attn.qkv.bias"] = torch.zeros(1)
    else:
        state = {"visual.proj": torch.zeros(1), "visual.positional_embedding": torch.zeros(())}
    with pytest.raises(UserError, match=r"^features: x: (no )?(blocks\.0\.attn|cls_token)"):
        vit.load(state, DINO, "x")
