"""Recorded results of the authors' restrictive encoder."""

import json
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import Shape
from inpaint_cli.models.latent_codes.restrictive import RestrictiveEncoder, token_mask
from inpaint_cli.models.pixels import to_unit
from tests.models.latent_codes.golden_parts import (
    FOLDER,
    close,
    close_in_double,
    part,
    recorded,
    shape_of,
)

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]

PREFIXES = sorted({name.split(".")[0] for name in recorded("restrictive") if ".logits" in name})
each_threshold = pytest.mark.parametrize("prefix", PREFIXES)


def network(prefix: str) -> RestrictiveEncoder:
    """Return the recorded network; `a025` is the code's "more than 0.25", our "at least 0.5"."""
    config, weights = part("restrictive")
    shape, alpha = shape_of(config["ddconfig"]), int(prefix[1:]) / 100 + 0.25
    channels = config["ddconfig"]["in_channels"]
    model = RestrictiveEncoder(channels, shape, config["n_embed"], alpha, "released")
    model.load_state_dict(weights)
    return model


@cache
def outputs(prefix: str) -> dict[str, Tensor]:
    """Return what every module of the network put out, masks as `mask.NAME`, logits and known."""
    model, seen = network(prefix), {}

    def note(name: str, result: Tensor | tuple[Tensor, object]) -> None:
        seen[name] = result if isinstance(result, Tensor) else result[0]
        if not isinstance(result, Tensor):
            seen[f"mask.{name}"] = getattr(result[1], "mask", torch.empty(0))

    for name, module in model.encoder.named_modules():
        module.register_forward_hook(lambda _m, _i, result, name=name: note(name, result))
    with torch.no_grad():
        logits, known = model(*inputs())
    return {**seen, "logits": logits, "known": known, "features": seen["conv_out"]}


def inputs() -> tuple[Tensor, Tensor]:
    io = recorded("restrictive")
    return to_unit(io["image_u8"]), io["visible"].bool()


@each_threshold
def test_logits_and_tokens_are_those_of_the_authors(prefix: str) -> None:
    ours, io = outputs(prefix), recorded("restrictive")
    close(ours["features"], io[f"{prefix}.features"])
    close(ours["logits"], io[f"{prefix}.logits"])
    known = ours["known"][:, 0]
    assert torch.equal(ours["logits"].argmax(1)[known], io[f"{prefix}.tokens"].long()[known])


@each_threshold
def test_masks_of_all_levels_are_those_of_the_authors(prefix: str) -> None:
    ours, io = outputs(prefix), recorded("restrictive")
    names = [name for name in io if name.startswith(f"{prefix}.mask.")]
    assert names
    for name in names:
        assert torch.equal(ours[name.removeprefix(f"{prefix}.")], io[name].float()), name
    assert torch.equal(ours["known"], io[f"{prefix}.mask_out"].bool())


@each_threshold
def test_the_token_mask_needs_no_network(prefix: str) -> None:
    io = recorded("restrictive")
    known = io[f"{prefix}.mask_out"].bool()
    factor = io["visible"].shape[-1] // known.shape[-1]
    ours = token_mask(io["visible"].bool(), factor, int(prefix[1:]) / 100 + 0.25)
    assert torch.equal(ours, known)


def test_features_of_inner_layers_are_those_of_the_authors() -> None:
    io = recorded("restrictive")
    names = [name for name in io if ".feat." in name]
    assert names
    for name in names:
        prefix, _, layer = name.split(".", 2)
        close(outputs(prefix)[layer][: len(io[name])], io[name])


@each_threshold
def test_loss_and_gradients_are_those_of_the_authors(prefix: str) -> None:
    model, io = network(prefix).double(), recorded("restrictive")
    x, visible = inputs()
    logits, known = model(x.double(), visible)
    known = known[:, 0]
    loss = F.cross_entropy(logits.movedim(1, -1)[known], io["target"].long()[known])
    loss.backward()  # type: ignore[no-untyped-call]
    close(loss, io[f"{prefix}.loss"])
    names = [name for name in io if name.startswith(f"{prefix}.grad.")]
    assert names
    for name in names:
        gradient = model.get_parameter(name.removeprefix(f"{prefix}.grad.")).grad
        assert gradient is not None
        close_in_double(gradient, io[name])


def test_the_full_size_network_has_the_authors_names_and_shapes() -> None:
    layout = json.loads((FOLDER / "layouts" / "restrictive_encoder_256.json").read_text())
    parts = ("encoder.", "cls_head.")
    theirs = {name: shape for name, shape in layout.items() if name.startswith(parts)}
    with torch.device("meta"):
        shape = Shape(128, (1, 1, 2, 2, 4), 2, (16,), 256, 256)
        model = RestrictiveEncoder(3, shape, 1024, 0.5, "released")
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == theirs
