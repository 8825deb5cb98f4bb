"""What the partial encoder sees, and where it starts."""

import pytest
import torch

from inpaint_cli.errors import UserError
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.partial_encoder import (
    differences,
    drawing_and_photo,
    edges_of,
    is_untrained,
    partial_input,
    start_from_encoder,
)
from tests.models.ipa.small_vaes import random_images, random_vae, small_config


def test_hidden_values_do_not_reach_the_partial_encoder() -> None:
    model, image = random_vae(), random_images(2)
    visible = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    seen = partial_input(model, image, visible)
    assert torch.equal(seen, partial_input(model, torch.where(visible, image, 7), visible))
    assert torch.equal(seen[:, 3:] > 0, visible)
    assert (seen[:, :3] * ~visible).eq(0).all()


def test_started_from_the_encoder_c_is_q_where_everything_is_visible() -> None:
    model, image = random_vae(), random_images(2)
    visible = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    start_from_encoder(model, heads=True)
    with torch.no_grad():
        c, q = model.partial_sides(image, visible), model.full_sides(image)
    for res, side in c.items():
        torch.testing.assert_close(side, q[res])
    for block in model.decoder.blocks():
        for one, other in zip(block.enc.parameters(), block.part_enc.parameters(), strict=True):
            assert torch.equal(one, other)
    # A copy: what trains one must leave the other alone.
    with torch.no_grad():
        model.part_encoder.in_conv.weight.add_(1)
    partial, source = (encoder.in_conv.weight for encoder in (model.part_encoder, model.encoder))
    assert not torch.equal(partial[:, :3], source)


def test_a_new_vae_counts_as_untrained() -> None:
    assert is_untrained(CompletingVae(small_config()))
    assert not is_untrained(random_vae())


def test_edges_are_black_lines_on_white_where_brightness_jumps() -> None:
    photo = torch.full((1, 3, 8, 8), 40, dtype=torch.uint8)
    photo[..., 4:] = 200
    drawing = edges_of(photo)
    assert drawing.dtype == torch.uint8
    assert (drawing[..., 3:5] == 0).all()
    assert (drawing[..., :3] == 255).all()
    assert (drawing[..., 5:] == 255).all()
    assert (edges_of(photo + 20) == drawing).all()


def test_pairs_are_cut_into_drawing_and_photo() -> None:
    drawing, photo = random_images(1, 1), random_images(1, 2)
    pair = torch.cat([drawing, photo], -1)
    one, two = drawing_and_photo(pair)
    assert torch.equal(one, drawing)
    assert torch.equal(two, photo)
    with pytest.raises(UserError, match="16x8, got 8x8"):
        drawing_and_photo(photo, draw_edges=False)


def test_settings_that_change_no_network_make_no_other_vae() -> None:
    one = small_config()
    assert differences(one, small_config(objective="reverse", start="encoder", vae="x")) == []
    assert differences(one, small_config(shift=-1.0)) == ["shift -120.0 and -1.0"]
