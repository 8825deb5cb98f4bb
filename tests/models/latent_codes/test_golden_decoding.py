"""Recorded results of the authors' decoders (both forms of E_prt) and refinement networks."""

import json

import pytest
import torch
from torch import Tensor

from inpaint_cli.models.latent_codes.blocks import Shape
from inpaint_cli.models.latent_codes.decoding import ImageDecoder, Refinement, compose, composite
from inpaint_cli.models.latent_codes.masked import MaskedEncoder
from inpaint_cli.models.latent_codes.masked_convolutions import Seen, mask_of, network_input
from inpaint_cli.models.pixels import from_unit, to_unit
from tests.models.latent_codes.golden_parts import FOLDER, close, part, recorded, shape_of

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]
each_decoder = pytest.mark.parametrize("name", ["decoder_plain", "decoder_partial"])
each_refinement = pytest.mark.parametrize("name", ["refine", "refine_up"])


def decoder(name: str) -> ImageDecoder:
    """Return a recorded decoder; only `decoder_plain` holds the weights of G."""
    config, weights = part(name)
    of_g = {
        key: value
        for key, value in part("decoder_plain")[1].items()
        if key.startswith(("post_bottleneck_conv.", "decoder."))
    }
    settings, embed_dim = config["ddconfig"], config["embed_dim"]
    model = ImageDecoder(
        settings["in_channels"], shape_of(settings), embed_dim, config["restriction"]
    )
    ours = {key: value for key, value in weights.items() if not key.startswith("loss.")}
    model.load_state_dict(of_g | ours)
    return model.eval()


def pixels(io: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return to_unit(io["image_u8"]), io["visible"].bool()


@each_decoder
def test_features_of_visible_pixels_are_those_of_the_authors(name: str) -> None:
    io = recorded(name)
    with torch.no_grad():
        close(decoder(name).encode(*pixels(io)), io["enc"])


@each_decoder
def test_decoded_images_are_those_of_the_authors(name: str) -> None:
    io, model = recorded(name), decoder(name)
    image, visible = pixels(io)
    known = io["token_visible"].bool()
    with torch.no_grad():
        composed = compose(model.encode(image, visible), io["quant"], known)
        whole = model(image, visible, io["quant"], known)
        close(composed, io["composed"])
        close(model.decode(composed), io["decoded"])
    assert torch.equal(whole, model.decode(composed))
    close(composite(image, visible, whole), io["composite"])


def test_the_mask_of_the_partial_encoder_grows_as_the_authors_does() -> None:
    io = recorded("decoder_partial")
    image, visible = pixels(io)
    encoder = decoder("decoder_partial").encoder
    assert isinstance(encoder, MaskedEncoder)
    with torch.no_grad():
        _, after = encoder(network_input(image, visible), Seen(mask_of(visible, image)))
    assert torch.equal(after.mask, io["mask_own"])


def refinement(name: str) -> Refinement:
    config, weights = part(name)
    outer, inner = config["ddconfig"], config["edconfig"] or config["ddconfig"]
    shapes = shape_of(inner), shape_of(outer)
    model = Refinement(outer["in_channels"], *shapes, config["embed_dim"])
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("loss.")})
    return model.eval()


def input_of(io: dict[str, Tensor]) -> Tensor:
    """Return the coarse composite; the authors take every n-th pixel of image and mask."""
    step = io["image_u8"].shape[-1] // io["coarse"].shape[-1]
    image, visible = (value[..., ::step, ::step] for value in pixels(io))
    return composite(image, visible, io["coarse"])


@each_refinement
def test_refined_images_are_those_of_the_authors(name: str) -> None:
    io, model = recorded(name), refinement(name)
    image, visible = pixels(io)
    with torch.no_grad():
        close(input_of(io), io["input"])
        close(model.encode(io["input"]), io["latent"])
        refined = model(io["input"])
    close(refined, io["decoded"])
    close(composite(image, visible, refined), io["final"])


@each_refinement
def test_final_bytes_are_those_of_the_authors(name: str) -> None:
    io = recorded(name)
    visible = io["visible"].bool()
    with torch.no_grad():
        refined = from_unit(refinement(name)(input_of(io)))
    ours = composite(io["image_u8"], visible, refined)
    difference = (ours.int() - io["final_u8"].int()).abs()
    assert torch.where(visible, difference, 0).max().item() == 0
    assert difference.max().item() <= 1


def names_of(layout: str, nested: str = "") -> dict[str, list[int]]:
    """Return names and shapes of an authors' file, or of the model nested in it."""
    entries = json.loads((FOLDER / "layouts" / f"{layout}.json").read_text())
    ours = ("encoder.", "decoder.", "bottleneck_conv.", "post_bottleneck_conv.")
    named = {
        name.removeprefix(nested): shape
        for name, shape in entries.items()
        if name.startswith(nested)
    }
    return {name: shape for name, shape in named.items() if name.startswith(ours)}


AT_256 = Shape(128, (1, 1, 2, 2, 4), 2, (16,), 256, 256)
AT_512 = Shape(128, (1, 1, 1, 2, 2, 4), 2, (16,), 256, 512)


@pytest.mark.parametrize(
    ("layout", "nested", "partial"),
    [
        ("decoder_256", "", False),
        ("decoder_partial_256", "", True),
        ("joint_decoder_256", "first_stage_model.", False),
        ("joint_decoder_512", "first_stage_model.", False),
    ],
)
def test_full_size_decoders_have_the_authors_names_and_shapes(
    layout: str, nested: str, partial: bool
) -> None:
    with torch.device("meta"):
        model = ImageDecoder(3, AT_256, 256, partial)
    ours = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert ours == names_of(layout, nested)


@pytest.mark.parametrize(
    ("layout", "shape"), [("joint_decoder_256", AT_256), ("joint_decoder_512", AT_512)]
)
def test_full_size_refinements_have_the_authors_names_and_shapes(layout: str, shape: Shape) -> None:
    with torch.device("meta"):
        model = Refinement(3, AT_256, shape, 256)
    assert {name: list(value.shape) for name, value in model.state_dict().items()} == names_of(
        layout
    )
