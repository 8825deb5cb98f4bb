"""The stages: what they start from, what their losses count, what a short training does."""

from dataclasses import replace
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from inpaint_cli import models
from inpaint_cli.errors import UserError
from inpaint_cli.family import Batch
from inpaint_cli.models.latent_codes import losses, starts
from inpaint_cli.models.latent_codes.adversary import R1_EVERY
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.config import LatentConfig
from inpaint_cli.models.latent_codes.discriminator import PatchDiscriminator, gradient_penalty
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.objective import STAGES
from inpaint_cli.models.latent_codes.transformer import Block
from inpaint_cli.models.pixels import to_unit
from inpaint_cli.randomness import Noise

VQGAN, ENCODER, TRANSFORMER, DECODER = STAGES


def model_of(**changes: object) -> LatentCodes:
    config = cast(LatentConfig, models.get("latent-codes").presets["digits"])
    torch.manual_seed(0)
    return LatentCodes(replace(config, **changes))  # type: ignore[arg-type]


def batch_of(n: int = 4, hidden: float = 0.3, progress: float = 0.0, side: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(n, 1, 2, 2, generator=generator)
    image = nn.functional.interpolate(coarse, size=side, mode="bilinear")
    visible = torch.ones(n, 1, side, side, dtype=torch.bool)
    visible[..., : round(hidden * side), :] = False
    return Batch((255 * image).to(torch.uint8), visible, None, progress)


def noise(n: int = 4) -> Noise:
    return Noise.of_samples(0, "test", 0, range(n))


def test_the_generator_starts_as_the_vqgan_where_everything_is_visible() -> None:
    model = model_of()
    with torch.no_grad():
        starts.decoder_from_vqgan(model)
        batch = batch_of(hidden=0)
        x = to_unit(batch.image)
        features = model.decoder.encode(x, batch.visible)
        torch.testing.assert_close(features, model.vqgan.encode(x))
        torch.testing.assert_close(model.decoder.decode(features), model.vqgan.decode(features))


@pytest.mark.parametrize("form", ["off", "strict"])
def test_an_encoder_starts_by_naming_the_vqgans_codes(form: str) -> None:
    model = model_of(restrictive=form)
    batch = batch_of(n=16, hidden=0)
    x = to_unit(batch.image)
    with torch.no_grad():
        model.vqgan.quantize.start(model.vqgan.encode(x), seed=0)
        starts.encoder_from_vqgan(model)
        logits, known = model.encoder(x, batch.visible)
    assert known.all()
    assert torch.equal(logits.argmax(1), model.vqgan.tokens(x))


def test_tokens_of_alike_codes_start_alike_in_the_transformer() -> None:
    model = model_of(token_width=96)
    with torch.no_grad():
        TRANSFORMER.begin(model)
    table = model.vqgan.quantize.table
    for weight in (model.transformer.tok_emb.weight, model.transformer.head.weight):
        torch.testing.assert_close(weight[1:] @ weight[1:].T, table @ table.T)


def test_half_of_the_heads_start_by_looking_at_near_tokens() -> None:
    model = model_of(token_width=128, token_heads=4)
    with torch.no_grad():
        TRANSFORMER.begin(model)
        transformer, grid = model.transformer, model.config.grid
        known = torch.ones(1, grid**2, dtype=torch.bool)
        ids = torch.nn.functional.pad(known.long(), (1, 0))
        block = cast(Block, transformer.blocks[0])
        x = block.ln1(transformer.tok_emb(ids) + transformer.pos_emb)
        query, key = (
            layer(x)[0, 1:].unflatten(-1, (4, -1)) for layer in (block.attn.query, block.attn.key)
        )
    scores = torch.einsum("qhd,khd->hqk", query, key)
    near = scores[:2].view(2, grid, grid, grid, grid)
    for row, column in ((0, 0), (1, 2), (grid - 1, grid - 1)):
        seen = near[:, row, column]
        rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
        steps = (rows - row).abs() + (columns - column).abs()
        assert (seen[:, steps == 0] > seen[:, steps == 1].amax(1, keepdim=True)).all()
        assert (seen[:, steps == 1].mean(1) > seen[:, steps > 1].mean(1)).all()
    assert near.std() > 3 * scores[2:].std()


@pytest.mark.parametrize(("width", "heads"), [(2, 1), (4, 4), (64, 1), (36, 6)])
def test_a_transformer_of_any_shape_has_a_start(width: int, heads: int) -> None:
    model = model_of(token_width=width, token_heads=heads)
    with torch.no_grad():
        TRANSFORMER.begin(model)
    assert all(p.isfinite().all() for p in model.transformer.parameters())


def gradients(model: LatentCodes, stage: int, batch: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    result = STAGES[stage].loss(model, batch, 0, noise(len(batch.image)))
    torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("stage", [0, 3])
def test_before_it_joins_a_discriminator_has_no_gradient_and_no_say(stage: int) -> None:
    late, never = model_of(disc_start=(0.5, 0.5)), model_of(disc_width=0)
    never.load_state_dict(late.state_dict(), strict=False)
    batch = batch_of()
    ours, wanted = gradients(late, stage, batch), gradients(never, stage, batch)
    rivals = {name for name in ours if name.startswith("discriminators.")}
    assert rivals
    assert all(not ours[name].any() for name in rivals)
    assert ours.keys() - rivals == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(ours[name], gradient)
    joined = gradients(late, stage, replace(batch, progress=0.5))
    assert all(joined[name].any() for name in rivals if name.endswith("weight"))


def test_the_codebook_starts_late_and_only_once() -> None:
    model = model_of(unquantised=0.5).train()
    VQGAN.loss(model, batch_of(progress=0.4), 0, noise())
    assert not model.vqgan.quantize.ready
    VQGAN.loss(model, batch_of(progress=0.5), 1, noise())
    assert model.vqgan.quantize.ready
    sums = model.vqgan.quantize.sums.clone()
    VQGAN.loss(model, batch_of(progress=0.6), 2, noise())
    assert torch.equal(model.vqgan.quantize.ready, torch.tensor(1))
    assert not torch.equal(model.vqgan.quantize.sums, sums)


def test_an_encoder_without_a_visible_token_loses_nothing() -> None:
    model, batch = model_of(), batch_of(hidden=1.0)
    result = ENCODER.loss(model, batch, 0, noise())
    assert result.losses["encoder"].item() == 0
    result.losses["encoder"].backward()  # type: ignore[no-untyped-call]
    assert all(
        torch.isfinite(p.grad).all() for p in model.encoder.parameters() if p.grad is not None
    )
    figures = ENCODER.validate(model, batch, noise())
    assert all(value.isnan().all() for value in figures.values())


def test_tokens_hidden_in_training_do_not_depend_on_the_rest_of_the_batch() -> None:
    model, batch = model_of().eval(), batch_of(n=3)
    whole = TRANSFORMER.validate(model, batch, noise(3))["nats_per_token"]
    one = Batch(batch.image[1:2], batch.visible[1:2])
    alone = TRANSFORMER.validate(model, one, noise(1))["nats_per_token"]
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["mixed", "uniform"])
def test_the_loss_of_the_transformer_counts_missing_tokens_only(kind: str) -> None:
    model = model_of(token_masks=kind, token_noise=0.0, label_smoothing=0.0, dropout=0.0).eval()
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    forward = model.transformer.forward

    def spy(tokens: Tensor, known: Tensor) -> Tensor:
        logits = forward(tokens, known)
        seen.append((tokens, known, logits))
        return logits

    model.transformer.forward = spy  # type: ignore[method-assign]
    loss = TRANSFORMER.loss(model, batch_of(n=8), 0, noise(8)).losses["transformer"]
    tokens, known, logits = seen[0]
    entropies = nn.functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    torch.testing.assert_close(loss, entropies[~known].mean())
    assert 0 < known.float().mean() < 1


def test_weights_at_the_border_are_those_that_the_page_says() -> None:
    visible = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    visible[..., 20:30, 20:30] = False
    weights = losses.border_weights(visible)[0, 0]
    assert weights[25, 25] == 1
    assert weights[25, 33] == pytest.approx(0.5)
    assert weights[25, 34] == pytest.approx(0.1)


def test_a_shrunk_pixel_is_visible_only_where_its_whole_block_is() -> None:
    image = torch.full((1, 3, 4, 4), 200, dtype=torch.uint8)
    visible = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    visible[..., 0, 3] = False
    image[..., 0, 3] = 0
    x, shrunk = at_side(image, visible, 2)
    assert shrunk[0, 0].tolist() == [[True, False], [True, True]]
    torch.testing.assert_close(
        x[:, :, shrunk[0, 0]],
        to_unit(image)[..., :1, :1].expand(1, 3, 2, 2).reshape(1, 3, 4)[..., :3],
    )


def test_refinement_trains_together_with_the_generator() -> None:
    model = model_of(refinement=True, raw_loss=False, pixel_weight=(1.0, 0.0))
    groups = DECODER.trainable(model)
    assert {group.name for group in groups} == {
        "generator",
        "decoder-discriminator",
        "refinement-discriminator",
    }
    by_name = gradients(model, 3, batch_of())
    assert any(name.startswith("refinement.") for name in by_name)
    assert any(name.startswith("decoder.") for name in by_name)


def test_what_only_completes_does_so_as_the_whole_model() -> None:
    model = model_of().eval()
    lean = model.changed(completion_only=True)
    batch = batch_of(n=1, hidden=0.5)
    both = [m.complete(batch.image, batch.visible, noise(2)).images for m in (model, lean)]
    assert torch.equal(*both)
    assert sum(p.numel() for p in lean.parameters()) < sum(p.numel() for p in model.parameters())
    assert not any(name.startswith("discriminators") for name in lean.state_dict())


def test_sheets_show_what_a_stage_can_show_before_the_later_ones_are_trained() -> None:
    model, batch = model_of().eval(), batch_of(n=1, hidden=0.5)
    with torch.no_grad():
        shown = [stage.pictures(model, batch, noise(3)) for stage in (VQGAN, ENCODER, TRANSFORMER)]
    assert [picture.shape for picture in shown] == [(1, 1, 8, 8), (1, 1, 8, 8), (3, 1, 8, 8)]
    assert all(picture.dtype == torch.uint8 for picture in shown)
    whole = batch_of(n=1, hidden=0)
    with torch.no_grad():
        same = TRANSFORMER.pictures(model, whole, noise(2))
        wanted = VQGAN.pictures(model, whole, noise(2))
    torch.testing.assert_close(same.int(), wanted.expand(2, -1, -1, -1).int(), rtol=0, atol=1)


def test_a_few_steps_of_each_stage_lower_its_loss() -> None:
    """All stages in order on one batch, with their own starts; losses before and after."""
    model = model_of(unquantised=0.3, dropout=0.0, token_noise=0.0, label_smoothing=0.0).train()
    batch = batch_of(n=8, hidden=0.5)
    steps = 40
    for stage in STAGES:
        with torch.no_grad():
            stage.begin(model)
        groups = stage.trainable(model)
        optimisers = [torch.optim.Adam(g.parameters, lr=2e-3 * g.lr_scale) for g in groups]
        course = []
        for step in range(steps):
            model.zero_grad()
            share = replace(batch, progress=step / steps)
            result = stage.loss(model, share, step, noise(8))
            torch.stack(list(result.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            for optimiser in optimisers:
                optimiser.step()
            names = ("l1", "ce", "decoder/l1")
            course.append(next(result.scalars[n].item() for n in names if n in result.scalars))
        assert course[-1] < 0.8 * course[0], stage.name


def test_only_the_weights_of_dense_layers_decay() -> None:
    model = model_of()
    (group,) = TRANSFORMER.trainable(model)
    spared = {id(parameter) for parameter in group.undecayed}
    names = {n for n, p in model.transformer.named_parameters() if id(p) not in spared}
    layers = ("key", "query", "value", "proj")
    inside = [*(f"attn.{layer}" for layer in layers), "mlp.0", "mlp.2"]
    blocks = range(model.config.token_layers)
    dense = {f"blocks.{block}.{layer}.weight" for block in blocks for layer in inside}
    assert names == {*dense, "head.weight"}
    assert len(group.parameters) == len(list(model.transformer.parameters()))


@pytest.mark.parametrize("name", ["places256", "celeba256", "places512"])
def test_the_published_presets_have_the_settings_of_the_authors_code(name: str) -> None:
    config = cast(LatentConfig, models.get("latent-codes").presets[name])
    images = 24_183 if name == "celeba256" else 1_800_000
    joined = {"vqgan": 50_000, "decoder": 60_000}
    for stage, share in zip(joined, config.disc_start, strict=True):
        training = config.training[stage]
        steps = training.epochs * images / training.batch_size
        assert share * steps == pytest.approx(joined[stage], rel=0.02)
    for stage, batch in {"vqgan": 10, "encoder": 16, "transformer": 12}.items():
        assert config.training[stage].batch_size == batch
    assert config.training["decoder"].batch_size == (4 if name == "places512" else 6)
    for training in config.training.values():
        assert training.lr == pytest.approx(4.5e-6 * training.batch_size)


def test_the_penalty_of_the_published_presets_weighs_the_squared_gradient_by_one() -> None:
    config = cast(LatentConfig, models.get("latent-codes").presets["places256"])
    model = model_of(r1_weight=config.r1_weight, disc_start=(0.0, 0.0))
    batch = batch_of(progress=1.0)
    losses_of = [
        DECODER.loss(model, batch, step, noise()).losses["decoder-discriminator"].item()
        for step in range(R1_EVERY)
    ]
    added = (losses_of[0] - losses_of[1]) / R1_EVERY
    rival = cast(PatchDiscriminator, model.discriminators["decoder"])
    x, mask = to_unit(batch.image), batch.visible.float() - 0.5
    real = torch.cat([mask, x], 1)
    square = gradient_penalty(rival, real, slice(1, None)).item()
    assert added == pytest.approx(square, rel=1e-3)
    assert losses_of[1:] == pytest.approx(losses_of[1:2] * (R1_EVERY - 1))


class Squares:
    """A perceptual distance that tests can compute."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean((1, 2, 3))


@pytest.mark.parametrize("raw", [True, False])
def test_what_stands_in_for_a_perceptual_distance_has_its_own_weight(raw: bool) -> None:
    # The weights of the published presets: no pixel loss, a tenth of LPIPS.
    settings = {"disc_width": 0, "raw_loss": raw, "pixel_weight": (1.0, 0.0)}
    model, batch = model_of(**settings), batch_of()
    for stage, weight in ((VQGAN, 1.0), (DECODER, 0.1)):
        prefix = "" if stage is VQGAN else "decoder/"
        for given in (None, Squares()):
            model.use_perceptual(given)
            result = stage.loss(model, batch, 0, noise())
            total = sum(value.item() for value in result.losses.values())
            terms = {name.removeprefix(prefix): v.item() for name, v in result.scalars.items()}
            pixels = 0.0 if given is not None and stage is DECODER else 1.0
            expected = pixels * terms["l1"] + terms.get("codebook", 0.0)
            expected += (weight if given is not None else 1.0) * terms["perceptual"]
            assert total == pytest.approx(expected + terms.get("features", 0.0), rel=1e-5)


def test_everything_before_a_larger_refinement_is_trained_at_the_coarse_side() -> None:
    model = model_of(size=16, coarse_size=8, refinement=True, refinement_multipliers=(1, 1, 2))
    fine, sides = batch_of(side=16), []
    model.vqgan.encoder.register_forward_hook(lambda _, x, __: sides.append(x[0].shape[-1]))
    for stage in (VQGAN, ENCODER, TRANSFORMER, DECODER):
        stage.loss(model, fine, 0, noise())
        stage.validate(model, fine, noise())
    assert set(sides) == {8}
    assert VQGAN.pictures(model, fine, noise()).shape[-1] == 8


@pytest.mark.parametrize("width", [1, 3, 12, 17, 32])
def test_a_discriminator_may_have_any_width(width: int) -> None:
    rival = cast(PatchDiscriminator, model_of(disc_width=width).discriminators["vqgan"])
    assert rival(to_unit(batch_of().image))[-1].isfinite().all()


@pytest.mark.parametrize(("size", "layers"), [(8, 2), (4, 1), (2, 0)])
def test_a_discriminator_that_no_image_reaches_the_end_of_is_refused(
    size: int, layers: int
) -> None:
    with pytest.raises(UserError, match=f"disc_layers: {layers} leave nothing of {size} pixels"):
        model_of(size=size, disc_layers=layers)
    model_of(size=2 * size, disc_layers=layers)
    model_of(size=size, disc_layers=layers, disc_width=0)
