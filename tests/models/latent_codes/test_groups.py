"""How many groups the normalisations have, and what of a plain picture they keep."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from inpaint_cli import tensors
from inpaint_cli.configuration import to_dict
from inpaint_cli.errors import UserError
from inpaint_cli.models.latent_codes.blocks import Encoder, Shape
from inpaint_cli.models.latent_codes.config import PRESETS
from inpaint_cli.models.latent_codes.masked import MaskedNorm
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.weights import FORMAT, load_weights


def groups_of(model: nn.Module) -> set[int]:
    norms = [module for module in model.modules() if isinstance(module, nn.GroupNorm)]
    masked = [module for module in model.modules() if isinstance(module, MaskedNorm)]
    return {norm.num_groups for norm in norms} | {norm.groups for norm in masked}


@pytest.mark.parametrize("changes", [{}, {"partial": True}, {"restrictive": "released"}])
def test_every_network_has_the_groups_of_its_config(changes: dict[str, object]) -> None:
    config = replace(PRESETS["tiny32"], disc_width=0, **changes)  # type: ignore[arg-type]
    with torch.device("meta"):
        assert groups_of(LatentCodes(config)) == {8}
        assert groups_of(LatentCodes(replace(config, norm_groups=4))) == {4}


def test_weights_from_before_the_setting_have_the_groups_that_they_were_trained_with(
    tmp_path: Path,
) -> None:
    path = tmp_path / "before.safetensors"
    model = LatentCodes(replace(PRESETS["tiny32"], disc_width=0, norm_groups=32))
    config = to_dict(model.config)
    del config["norm_groups"]
    header = {"family": "latent-codes", "preset": "tiny32", "config": json.dumps(config)}
    tensors.save(path, model.state_dict(), {**header, "format": FORMAT})
    before = load_weights(path)
    assert isinstance(before, LatentCodes)
    assert groups_of(before) == {32}


def test_groups_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(UserError, match="width: must be a multiple of norm_groups 7, got 32"):
        replace(PRESETS["tiny32"], norm_groups=7)


def test_four_channels_a_group_keep_how_bright_a_plain_picture_is() -> None:
    plain = torch.tensor([0.8, 1.0])[:, None, None, None].expand(2, 3, 16, 16)
    apart = {}
    for groups in (8, 32):
        torch.manual_seed(0)
        encoder = Encoder(3, Shape(32, (1, 1), 1, (), 32, 16, groups))
        with torch.no_grad():
            norm = encoder.get_submodule("down.0.block.0.norm1")
            normed = norm(encoder.conv_in(plain))[:, :, 8, 8]
        apart[groups] = float((normed[0] - normed[1]).norm() / normed[0].norm())
    assert apart[32] < 0.01 < apart[8]
