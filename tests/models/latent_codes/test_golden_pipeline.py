"""The recorded chain from two partly visible images to their completions, with all networks."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint_cli.family import Completions
from inpaint_cli.models.latent_codes import sampling
from inpaint_cli.models.latent_codes.config import LatentConfig
from inpaint_cli.models.latent_codes.decoding import ImageDecoder, Refinement, composite
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.sampling import TokenContext, encode_context, picture_of
from inpaint_cli.models.pixels import from_unit, to_unit
from inpaint_cli.randomness import Noise
from tests.models.latent_codes.golden_parts import close, part, recorded, shape_of
from tests.models.latent_codes.test_golden_transformer import network

pytestmark = [pytest.mark.golden, pytest.mark.latent_codes]

# Of the recording (its README): the README names them, no file does.
STEPS, TEMPERATURE, ANNEALING = 5, 1.0, 0.9


@cache
def pipeline() -> dict[str, Tensor]:
    return recorded("pipeline")


each_image = pytest.mark.parametrize("item", range(len(pipeline()["image_u8"])))


@cache
def model() -> LatentCodes:
    """Return the whole model; decoder and refinement have fewer channels than one config says."""
    vqgan, weights = part("vqgan")
    latent = LatentCodes(config(vqgan)).eval()
    latent.vqgan.load_state_dict(without_losses(weights))
    latent.encoder.load_state_dict(part("restrictive")[1])
    latent.transformer = network()
    settings, weights = part("decoder_plain")
    shape, channels = shape_of(settings["ddconfig"]), settings["ddconfig"]["in_channels"]
    latent.decoder = ImageDecoder(channels, shape, settings["embed_dim"], partial=False)
    latent.decoder.load_state_dict(without_losses(weights))
    settings, weights = part("refine")
    shape = shape_of(settings["ddconfig"])
    latent.refinement = Refinement(channels, shape, shape, settings["embed_dim"])
    latent.refinement.load_state_dict(weights)
    return latent.eval()


def config(vqgan: dict[str, Any]) -> LatentConfig:
    shape, tokens = shape_of(vqgan["ddconfig"]), part("transformer")[0]
    return LatentConfig(
        size=shape.resolution,
        channels=vqgan["ddconfig"]["in_channels"],
        levels=256,
        width=shape.width,
        multipliers=shape.multipliers,
        blocks=shape.blocks,
        attention=shape.attention,
        latent_channels=shape.latent_channels,
        embed_dim=vqgan["embed_dim"],
        codes=vqgan["n_embed"],
        codebook="gradient",
        token_width=tokens["n_embd"],
        token_layers=tokens["n_layer"],
        token_heads=tokens["n_head"],
        restrictive="released",
        alpha=0.5,
        refinement=True,
        disc_width=0,
        sampling_steps=STEPS,
        temperature=TEMPERATURE,
        annealing=ANNEALING,
    )


def without_losses(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith("loss.")}


def task(item: int) -> tuple[Tensor, Tensor]:
    image, visible = pipeline()["image_u8"], pipeline()["visible"].bool()
    return image[item : item + 1], visible[item : item + 1]


def context(item: int) -> TokenContext:
    image, visible = task(item)
    with torch.no_grad():
        return encode_context(model(), to_unit(image), visible)


@pytest.fixture
def completed(item: int, monkeypatch: pytest.MonkeyPatch) -> Completions:
    """The completion with the recorded noise."""
    steps = iter(pipeline()["gumbel"][:, item : item + 1].float())
    monkeypatch.setattr(sampling, "gumbel_of", lambda noise, device: lambda *shape: next(steps))
    noise = Noise.of_completions(0, b"not used", [0])
    return model().complete(*task(item), noise, keep_seams=True)


@each_image
def test_known_tokens_and_their_labels_are_those_of_the_authors(item: int) -> None:
    seen, theirs = context(item), pipeline()["visible_tokens"][item].long()
    assert torch.equal(seen.known.flatten(), pipeline()["token_visible"][item].flatten().bool())
    assert torch.equal(torch.where(seen.known, seen.tokens, -1)[0], theirs)


@each_image
def test_tokens_are_those_of_the_corrected_loop(item: int, completed: Completions) -> None:
    assert torch.equal(completed.details["tokens"].flatten(), pipeline()["tokens"][item].long())


@each_image
def test_pictures_before_and_after_the_refinement_are_those_of_the_authors(
    item: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    latent, seen = model(), context(item)
    tokens = pipeline()["tokens"][item : item + 1].long()
    whole = slice(item, item + 1)
    with torch.no_grad():
        refined = picture_of(latent, seen, tokens)
        monkeypatch.setitem(latent._modules, "refinement", None)
        decoded = picture_of(latent, seen, tokens)
    close(decoded, pipeline()["decoded"][whole])
    close(composite(seen.x, seen.visible, decoded), pipeline()["composite"][whole])
    close(refined, pipeline()["refined"][whole])
    close(composite(seen.x, seen.visible, refined), pipeline()["final"][whole])


@each_image
def test_the_completion_is_that_of_the_authors(item: int, completed: Completions) -> None:
    image, visible = task(item)
    theirs = pipeline()["final_u8"][item : item + 1]
    assert torch.equal(completed.images[visible.expand_as(image)], image[visible.expand_as(image)])
    assert (completed.images.int() - theirs.int()).abs().max() <= 1
    assert torch.equal(from_unit(pipeline()["final"][item : item + 1]), theirs)
