"""The authors' files: recognised by their names, matched strictly, in any order and nesting."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor

from inpaint_cli.cli import main
from inpaint_cli.errors import UserError
from inpaint_cli.models.latent_codes.config import PRESETS, LatentConfig
from inpaint_cli.models.latent_codes.convert import (
    NEST,
    convert,
    from_authors,
    parts_in,
)
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.training.recipe import RecipeChoices
from inpaint_cli.training.takeover import take_over
from inpaint_cli.weights import load_weights, read_header

State = dict[str, Tensor]


# Small files with values, in the layouts of the authors' training classes.


SMALL = replace(
    PRESETS["places256"],
    size=16,
    width=32,
    multipliers=(1, 2),
    blocks=1,
    attention=(8,),
    latent_channels=32,
    embed_dim=8,
    codes=12,
    token_width=32,
    token_layers=2,
    token_heads=4,
    disc_width=0,
)
PLAIN = replace(SMALL, refinement=False)
VARIANTS = {
    "refined": SMALL,
    "plain": PLAIN,
    "partial": replace(PLAIN, partial=True),
    "enlarging": replace(
        SMALL,
        size=32,
        coarse_size=16,
        refinement_multipliers=(1, 1, 2),
        disc_start=PRESETS["places512"].disc_start,
        training=PRESETS["places512"].training,
    ),
}


@cache
def model_of(variant: str) -> LatentCodes:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(variant))
        return LatentCodes(VARIANTS[variant])


def within(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def theirs(variant: str) -> dict[str, State]:
    """Return the state dicts of the authors' files, by what they hold."""
    model = model_of(variant)
    losses = {"loss.discriminator.main.0.weight": torch.ones(4, 3, 4, 4)}
    vqgan = dict(model.vqgan.state_dict())
    frozen = within(NEST, vqgan)
    causal = {f"transformer.blocks.{i}.attn.mask": torch.ones(1, 1, 65, 65) for i in range(2)}
    decoder = {**model.decoder.state_dict(), **losses, **frozen}
    files = {
        "vqgan": {**vqgan, **losses, "loss.perceptual_loss.lin0.model.1.weight": torch.ones(1)},
        "encoder": {
            **model.encoder.state_dict(),
            **frozen,
            "quantize.embedding.weight": vqgan["quantize.embedding.weight"],
        },
        "transformer": {
            **within("transformer.", model.transformer.state_dict()),
            **causal,
            **frozen,
        },
        "decoder": decoder,
    }
    if model.refinement is not None:
        joint = {**model.refinement.state_dict(), **losses, **within("loss_fstg.", losses)}
        files["joint"] = {**joint, **within(NEST, decoder)}
    return files


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Path]]:
    """Write state dicts as training checkpoints, one file each."""

    def checkpoints(states: dict[str, State]) -> list[Path]:
        paths = []
        for name, state in states.items():
            paths.append(tmp_path / f"{name}.ckpt")
            moments = {"state": {0: {"exp_avg": torch.ones(3)}}}
            content = {"state_dict": state, "epoch": 1, "optimizer_states": [moments]}
            torch.save(content, paths[-1])
        return paths

    return checkpoints


Write = Callable[[dict[str, State]], list[Path]]


def assert_same(model: LatentCodes, expected: LatentCodes) -> None:
    assert model.config == expected.config
    state = model.state_dict()
    assert state.keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(state[name], tensor), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_tensor_finds_its_place_in_any_order_of_files(variant: str, write: Write) -> None:
    states = theirs(variant)
    if "joint" in states:
        del states["decoder"]
    files = write(states)
    assert_same(convert("latent-codes", files), model_of(variant))
    assert_same(convert("latent-codes", files[::-1]), model_of(variant))
    assert not convert("latent-codes", files).training


def test_the_networks_inside_other_files_serve_where_no_own_file_is_given(write: Write) -> None:
    states = theirs("refined")
    files = write({name: states[name] for name in ("encoder", "transformer", "joint")})
    assert_same(convert("latent-codes", files), model_of("refined"))


def test_a_decoder_beside_the_refinement_that_holds_it_is_no_contradiction(write: Write) -> None:
    assert_same(convert("latent-codes", write(theirs("refined"))), model_of("refined"))


def test_a_model_without_refinement_is_complete(write: Write) -> None:
    states = theirs("refined")
    del states["joint"]
    assert convert("latent-codes", write(states)).refinement is None


def test_half_precision_becomes_float32(tmp_path: Path, write: Write) -> None:
    states = theirs("plain")
    half = tmp_path / "transformer.safetensors"
    save_file({n: t.half().contiguous() for n, t in states.pop("transformer").items()}, half)
    model = convert("latent-codes", [half, *write(states)])
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
    expected = model_of("plain").transformer.head.weight
    assert torch.equal(model.transformer.head.weight, expected.half().float())


def test_no_tensor_is_copied() -> None:
    states = theirs("plain")
    model = from_authors(
        [part for name, state in states.items() for part in parts_in(state, Path(name))]
    )
    for name, state in states.items():
        prefix = "transformer." if name == "transformer" else ""
        for ours, tensor in model.get_submodule(name).state_dict().items():
            assert tensor.data_ptr() == state[prefix + ours].data_ptr(), (name, ours)


# What does not fit.


@pytest.mark.parametrize("missing", ["encoder", "transformer", "decoder"])
def test_a_missing_network_is_named(missing: str, write: Write) -> None:
    states = theirs("plain")
    del states[missing]
    with pytest.raises(UserError, match=rf"^from: latent-codes: no .*{missing} in .*vqgan\.ckpt"):
        convert("latent-codes", write(states))


def test_a_missing_vqgan_is_named_where_no_file_has_a_copy(write: Write) -> None:
    states = {name: alone(state) for name, state in theirs("plain").items() if name != "vqgan"}
    with pytest.raises(UserError, match="no VQGAN in decoder"):
        convert("latent-codes", write(states))


def alone(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if not name.startswith(NEST)}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("vqgan", "encoder.conv_in.weight"),
        ("vqgan", "quantize.embedding.weight"),
        ("vqgan", "decoder.up.1.upsample.conv.bias"),
        ("encoder", "cls_head.conv.bias"),
        ("encoder", "encoder.mid.block_1.conv1.conv.resample_filter"),
        ("transformer", "transformer.pos_emb"),
        ("transformer", "transformer.blocks.0.ln1.bias"),
        ("decoder", "encoder.conv_in.weight"),
        ("decoder", "post_bottleneck_conv.bias"),
        ("joint", "decoder.up.1.block.0.conv2.weight"),
        ("joint", f"{NEST}decoder.conv_out.bias"),
    ],
)
def test_a_missing_tensor_is_named_as_in_its_file(file: str, name: str, write: Write) -> None:
    states = theirs("refined")
    if file == "joint":
        del states["decoder"]
    del states[file][name]
    with pytest.raises(UserError, match=rf"{file}\.ckpt: '{name}' is missing"):
        convert("latent-codes", write(states))


@pytest.mark.parametrize(
    ("file", "name", "shape", "message"),
    [
        ("vqgan", "quant_conv.weight", (8, 16, 1, 1), "is 8x16x1x1 of float.* ask for 8x32x1x1"),
        ("vqgan", "encoder.down.1.block.0.conv2.weight", (40, 64, 3, 3), "not a multiple of 32"),
        ("encoder", "cls_head.conv.weight", (9, 32, 1, 1), "ask for 12x32x1x1"),
        ("transformer", "transformer.pos_emb", (1, 64, 32), "63 tokens, which fill no square"),
        ("transformer", "transformer.tok_emb.weight", (14, 32), "ask for 13x32"),
        ("decoder", "encoder.conv_in.weight", (32, 5, 3, 3), "ask for 32x4x3x3"),
        ("transformer", "transformer.pos_emb", (65, 32), "is 65x32; it should have 3 dimensions"),
        ("vqgan", "encoder.conv_in.weight", (0, 3, 3, 3), "it should have 4 dimensions"),
    ],
)
def test_a_misshapen_tensor_is_named_with_what_is_asked_for(
    file: str, name: str, shape: tuple[int, ...], message: str, write: Write
) -> None:
    states = theirs("plain")
    states[file][name] = torch.zeros(shape)
    with pytest.raises(UserError, match=rf"{file}\.ckpt: '{name}' .*{message}"):
        convert("latent-codes", write(states))


def test_a_vqgan_without_levels_misses_its_first(write: Write) -> None:
    states = theirs("plain")
    states["vqgan"] = {n: t for n, t in states["vqgan"].items() if ".down." not in n}
    with pytest.raises(UserError, match=r"'encoder\.down\.0\.block\.0\.conv2\.weight' is missing"):
        convert("latent-codes", write(states))


def test_sizes_that_no_model_of_ours_has_are_named_with_their_file(write: Write) -> None:
    states = theirs("plain")
    states["vqgan"]["encoder.conv_in.weight"] = torch.zeros(16, 3, 3, 3)
    with pytest.raises(
        UserError, match=r"vqgan\.ckpt: width: must be a multiple of norm_groups 32, got 16"
    ):
        convert("latent-codes", write(states))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("vqgan", "encoder.extra"),
        ("encoder", "proj.weight"),
        ("transformer", "transformer.blocks.0.attn.bias"),
        ("decoder", "encoder.down.0.attn.0.norm.weight"),
    ],
)
def test_a_surplus_tensor_is_named(file: str, name: str, write: Write) -> None:
    states = theirs("plain")
    states[file][name] = torch.zeros(3)
    with pytest.raises(UserError, match=rf"the {file} has no place for '{name}', by"):
        convert("latent-codes", write(states))


def test_files_of_two_models_are_refused(write: Write) -> None:
    states = theirs("plain")
    other = states["transformer"][f"{NEST}quantize.embedding.weight"] + 1
    states["transformer"][f"{NEST}quantize.embedding.weight"] = other
    with pytest.raises(UserError, match=r"transformer\.ckpt: was trained with another VQGAN"):
        convert("latent-codes", write(states))


def test_two_networks_of_one_kind_are_refused(write: Write) -> None:
    states = theirs("plain")
    with pytest.raises(UserError, match=r"each hold a transformer\. Give the files of one model"):
        convert("latent-codes", write({**states, "again": states["transformer"]}))


def test_a_file_of_something_else_is_refused(write: Write) -> None:
    with pytest.raises(UserError, match=r"other\.ckpt: holds none of the networks VQGAN.*'a\.b'"):
        convert("latent-codes", write({**theirs("plain"), "other": {"a.b": torch.ones(1)}}))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused(value: float, write: Write) -> None:
    states = theirs("plain")
    states["encoder"]["cls_head.conv.bias"] = torch.full((12,), value)
    with pytest.raises(UserError, match=r"encoder\.ckpt: 'cls_head\.conv\.bias' holds values"):
        convert("latent-codes", write(states))


def test_integers_are_refused(write: Write) -> None:
    states = theirs("plain")
    states["decoder"]["bottleneck_conv.bias"] = torch.zeros(8, dtype=torch.int64)
    with pytest.raises(UserError, match=r"'bottleneck_conv\.bias' is 8 of int64"):
        convert("latent-codes", write(states))


# A VQGAN of taming-transformers.


def inside_a_transformer(state: State) -> State:
    """Return the layout of taming's transformers, with the VQGAN inside."""
    return {**within(NEST, state), "transformer.tok_emb.weight": torch.ones(4, 4)}


@pytest.mark.parametrize("nested", [dict, inside_a_transformer])
def test_a_vqgan_of_taming_is_one_trained_stage_of_a_model_of_ours(
    nested: Callable[[State], State], write: Write
) -> None:
    model = convert("taming", write({"last": nested(theirs("plain")["vqgan"])}))
    config: LatentConfig = model.config
    assert (config.size, config.grid, config.codes, config.codebook) == (32, 16, 12, "gradient")
    assert (config.restrictive, config.refinement) == ("strict", False)
    assert config.training == PRESETS["photo128"].training
    assert model.trained_stages == ("vqgan",)
    for name, tensor in model_of("plain").vqgan.state_dict().items():
        assert torch.equal(model.vqgan.state_dict()[name], tensor), name


def test_a_file_without_a_vqgan_is_refused_for_taming(write: Write) -> None:
    with pytest.raises(UserError, match=r"^from: taming: no VQGAN"):
        convert("taming", write({"last": alone(theirs("plain")["transformer"])}))


def test_what_convert_makes_of_taming_is_where_training_goes_on(
    tmp_path: Path, write: Write
) -> None:
    (source,), output = write({"last": theirs("plain")["vqgan"]}), tmp_path / "ours.safetensors"
    done = CliRunner().invoke(main, ["convert", "--from", "taming", str(source), "-o", str(output)])
    assert (done.exit_code, f"train --from-weights {output}" in done.stderr) == (0, True)
    assert read_header(output)["stages"] == "vqgan"
    choices = RecipeChoices(
        data=["digits"], weights=output, settings=["token_layers=1", "token_width=24"]
    )
    recipe = choices.recipe()
    assert recipe.stages == ("encoder", "transformer", "decoder")
    with torch.random.fork_rng(devices=[]):
        model = LatentCodes(recipe.config)  # type: ignore[arg-type]
    take_over(model, recipe.family.stages(), output)
    for name, tensor in model_of("plain").vqgan.state_dict().items():
        assert torch.equal(model.vqgan.state_dict()[name], tensor), name


def test_what_convert_writes_loads_as_the_same_model(tmp_path: Path, write: Write) -> None:
    files, output = write(theirs("refined")), tmp_path / "ours.safetensors"
    arguments = ["convert", "--from", "latent-codes", *map(str, files), "-o", str(output)]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (0, f"{output}\n")
    assert read_header(output)["stages"] == "vqgan,encoder,transformer,decoder"
    assert_same(load_weights(output), model_of("refined"))  # type: ignore[arg-type]
