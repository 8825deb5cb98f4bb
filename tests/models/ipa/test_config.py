"""Block strings and widths: what describes no network is refused with a sentence."""

from typing import Any

import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.config import BlockPlace, parse_blocks
from inpaint_cli.models.ipa.presets import OURS, PARTIAL, PUBLISHED, VAE, presets
from tests.models.ipa.small_vaes import small_config

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"enc_blocks": "8x1,8m2"}, "enc_blocks: 8m2 belongs in dec_blocks"),
    ({"dec_blocks": "1d2"}, "dec_blocks: 1d2 belongs in enc_blocks"),
    ({"dec_blocks": "1x1,4x1,8m4"}, "side 4 is used before its mixin"),
    ({"dec_blocks": "4x1,1m4,8m4"}, "1m4 must be the first at 1"),
    ({"dec_blocks": "1x1,4m1,8m4,8m4"}, "8m4 must be the first at 8"),
    ({"dec_blocks": "1x1,8m4"}, "8m4 must be the first at 8, come after 4"),
    ({"enc_blocks": "8x1,8d2,8x1"}, "a block at 8 where the side is 4"),
    ({"enc_blocks": "8d3"}, "8d3 leaves no whole side"),
    ({"enc_blocks": "4x1"}, "a block at 4 where the side is 8"),
    ({"dec_blocks": "1x1,4m1"}, "must end at the image's side, 8"),
    ({"dec_blocks": "2x1,4m2,8m4"}, "the encoder produces nothing at side 2"),
    ({"dec_blocks": "1x1,,8m1"}, "'' is none of"),
    ({"dec_blocks": "0x1"}, "'0x1' is none of"),
    ({"dec_blocks": "1x99999,4m1,8m4"}, "dec_blocks: 100001 blocks"),
    ({"levels": 32}, "levels: must be 256, got 32"),
    ({"custom_widths": "4:12,1:16,8:4"}, "4 at the image's side"),
    ({"custom_widths": "4:12"}, "side 1 is narrower than side 4"),
    ({"custom_widths": "4=12"}, "must be RES:WIDTH"),
    ({"bottleneck": 0.01}, "leaves no channel"),
    ({"bottleneck": 0.0}, r"must lie in \(0, 1\]"),
    ({"zdim": 0}, r"zdim: must lie in 1\.\."),
    ({"scale": 0.0}, "scale: must lie in"),
    ({"annealing": (2.0, 0.0, 1.0)}, "two positive weights"),
    ({"objective": "reverse", "condition": "edges"}, "reverse needs a mask"),
    ({"share_encoders": True}, "share_encoders: .*, got trained=partial-encoder"),
    (
        {"share_encoders": True, "trained": "all", "objective": "reverse", "start": "encoder"},
        "got objective=reverse, start=encoder",
    ),
    ({"share_encoders": True, "trained": "all", "condition": "edges"}, "got condition=edges"),
    ({"share_encoders": True, "trained": "all", "vae": "a.safetensors"}, "got vae=a.safetensors"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_describes_no_network_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small_config(**changes)


def test_a_block_string_is_a_list_of_blocks() -> None:
    assert parse_blocks("32x2,32d4, 8m1,8", "enc_blocks") == (
        BlockPlace(32),
        BlockPlace(32),
        BlockPlace(32, down=4),
        BlockPlace(8, mixin=1),
        BlockPlace(8),
    )


def test_widths_hold_at_their_side_and_the_width_elsewhere() -> None:
    config = small_config()
    assert [config.width_at(side) for side in (1, 4, 8)] == [16, 12, 8]
    assert [config.middle_at(side) for side in (1, 4, 8)] == [4, 3, 2]
    assert config.latent_shapes == [(2, 1, 1), (2, 4, 4), (2, 4, 4), (2, 8, 8)]


LATENTS = {
    "cifar10": (43, 412_432),
    "imagenet32": (78, 765_216),
    "imagenet64": (75, 1_451_040),
    "ffhq256": (66, 4_470_816),
    "ffhq1024": (70, 27_588_640),
}


@pytest.mark.parametrize("name", LATENTS)
def test_published_presets_have_the_published_numbers_of_latents(name: str) -> None:
    shapes = PUBLISHED[name].latent_shapes
    assert (len(shapes), sum(c * h * w for c, h, w in shapes)) == LATENTS[name]


def test_the_four_methods_differ_in_their_second_stage_and_share_their_networks() -> None:
    ipa, reverse, aipo = presets("ipa"), presets("ipa-r"), presets("aipo")
    for name in ("digits", "cifar10", "ffhq256"):
        assert ipa[name].dec_blocks == reverse[name].dec_blocks == aipo[name].dec_blocks
        assert ipa[name].training[VAE] == reverse[name].training[VAE]
    chosen = [(c["cifar10"].objective, c["cifar10"].predicted) for c in (ipa, reverse, aipo)]
    assert chosen == [("forward", "hidden"), ("reverse", "hidden"), ("forward", "whole")]
    assert (ipa["cifar10"].start, reverse["cifar10"].start) == ("random", "encoder")
    assert aipo["cifar10"].training[PARTIAL].masks == "patches"
    assert set(OURS) <= set(reverse)


def test_reverse_training_at_256_pixels_computes_blocks_again() -> None:
    chosen = {
        (method, name)
        for method in ("ipa", "ipa-r", "aipo", "aipo-r")
        for name, config in presets(method).items()
        if config.recompute
    }
    assert chosen == {("ipa-r", "ffhq256"), ("aipo-r", "ffhq256")}


@pytest.mark.parametrize("name", ["shoes64", "bags64", "shoes", "bags"])
def test_presets_of_edges_see_no_mask(name: str) -> None:
    assert PUBLISHED[name].condition == "edges"
    assert PUBLISHED[name].partial_channels == 3
