"""Reads the authors' weight files: `vdvae` (openai/vdvae) and `ipa` (plai-group/ipa).

Both are state dicts by name, in which our networks find themselves as they are. The preset follows
from the shapes; where several share them, from the names of file and folder; networks of no preset
bring a TOML file with the settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inpaint_cli.configuration import from_dict, read_toml, to_dict
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.models.foreign import check_fit, read_state, shape_text, skeleton
from inpaint_cli.models.ipa.config import VaeConfig
from inpaint_cli.models.ipa.networks import CompletingVae
from inpaint_cli.models.ipa.partial_encoder import is_partial
from inpaint_cli.models.ipa.presets import PUBLISHED, presets

LAYOUTS = ("vdvae", "ipa")
NO_WEIGHTS = ("opt.th", "config.th", ".jsonl")
"""Ends of names of files that lie beside the weights."""


def convert(layout: str, files: Sequence[Path]) -> CompletingVae:
    """Return the model in the authors' file, or in their folder (its averaged weights).

    `vdvae` gives a VAE whose partial encoder is random, still to be trained. A TOML file among
    `files` names a `preset`, settings that differ from it, or all settings. UserError tells what
    does not fit, by name and shape. Pickles are read with weights_only: nothing in them is run.
    """
    weights, settings = locate(files)
    state = read_state(weights)
    conditional = any(name.startswith("part_encoder.") for name in state)
    if conditional != (layout == "ipa"):
        raise UserError(
            f"{weights}: {'has a' if conditional else 'has no'} partial encoder: read it as layout "
            f"'{'ipa' if conditional else 'vdvae'}'."
        )
    if not conditional:
        # The VAE class of plai-group/ipa owns heads that nothing uses.
        state = {name: tensor for name, tensor in state.items() if ".part_enc." not in name}
    config = read_settings(settings) if settings else infer(state, weights)
    network = skeleton(lambda: CompletingVae(config), len(state), settings or weights)
    check(state, network.state_dict(), weights, conditional)
    state = {name: tensor.float() for name, tensor in state.items()}
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise UserError(
            f"{weights}: '{broken[0]}' holds values that are no numbers; it is damaged."
        )
    # A random start must not depend on, nor move, the caller's generator.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CompletingVae(config)
    model.load_state_dict(state, strict=conditional)
    return model.eval()


def locate(files: Sequence[Path]) -> tuple[Path, Path | None]:
    """Return the state dict and the TOML file, if there is one, among what the user named."""
    weights, settings = [], None
    for path in files:
        if path.suffix == ".toml":
            settings = path
        else:
            weights.append(_in_folder(path) if path.is_dir() else path)
    if len(weights) != 1:
        raise UserError(
            f"vdvae|ipa: give one file of weights (the EMA file), got {len(weights)}.",
            setting="from",
        )
    if weights[0].name.endswith(NO_WEIGHTS):
        raise UserError(f"{weights[0]}: holds no weights. Give the file ...model-ema.th.")
    return weights[0], settings


def _in_folder(folder: Path) -> Path:
    for pattern in ("*model-ema.th", "*model.th", "*.safetensors"):
        matching = sorted(folder.glob(pattern))
        if len(matching) > 1:
            raise UserError(
                f"{folder}: {len(matching)} files {pattern} in it; name the one you want."
            )
        if matching:
            return matching[0]
    raise UserError(f"{folder}: no model-ema.th and no model.th in it.")


def read_settings(path: Path) -> VaeConfig:
    """Return the config that a TOML file describes: `preset`, and settings that differ from it."""
    table = read_toml(path)
    name = table.pop("preset", None)
    known = presets("ipa")
    if name is not None and name not in known:
        raise unknown_name(f"{path}: no preset", str(name), known)
    base = to_dict(known[name]) if name else {}
    return from_dict(VaeConfig, {**base, **table}, str(path))


def infer(state: Mapping[str, Tensor], path: Path) -> VaeConfig:
    """Return the published preset whose networks have the sizes of `state`.

    Presets for several data sets share their networks: the one that the file's or its folder's name
    mentions is taken, else the first.
    """
    sizes = measure(state, path)
    fitting = {name: c for name, c in PUBLISHED.items() if _fits(c, sizes)}
    if not fitting:
        told = ", ".join(f"{name} {value}" for name, value in sizes.items() if value)
        raise UserError(
            f"{path}: of no published preset ({told}). Give a TOML file with its settings beside "
            "it (docs/ipa.md)."
        )
    mentioned = [name for name in fitting if name in _spoken(path)]
    return fitting[max(mentioned, key=len) if mentioned else next(iter(fitting))]


def _spoken(path: Path) -> str:
    """Return the file's and the folder's name without signs: "ffhq_256-ipa" says "ffhq256"."""
    spoken = f"{path.parent.name} {path.name}".lower()
    return spoken.replace("_", "").replace("-", "")


def measure(state: Mapping[str, Tensor], path: Path) -> dict[str, int]:
    """Return the sizes that tell presets apart; UserError where the tensors for it are missing."""
    try:
        sizes = {
            "width": state["encoder.in_conv.weight"].shape[0],
            "channels": state["encoder.in_conv.weight"].shape[1],
            "zdim": state["decoder.dec_blocks.0.z_proj.weight"].shape[1],
            "output": state["decoder.out_net.out_conv.weight"].shape[0],
            "encoder blocks": _count(state, "encoder.enc_blocks."),
            "decoder blocks": _count(state, "decoder.dec_blocks."),
            "partial input": 0,
        }
        if "part_encoder.in_conv.weight" in state:
            sizes["partial input"] = state["part_encoder.in_conv.weight"].shape[1]
    except KeyError as error:
        raise UserError(f"{path}: {error} is missing: not a file of this layout.") from None
    except IndexError:
        raise UserError(
            f"{path}: a convolution's weight is not one: the file is damaged."
        ) from None
    return sizes


def _count(state: Iterable[str], start: str) -> int:
    return len({name[len(start) :].partition(".")[0] for name in state if name.startswith(start)})


def _fits(config: VaeConfig, sizes: Mapping[str, int]) -> bool:
    expected = {
        "width": config.width,
        "channels": config.channels,
        "zdim": config.zdim,
        "output": config.output_channels,
        "encoder blocks": len(config.encoder_places),
        "decoder blocks": len(config.decoder_places),
        "partial input": config.partial_channels if sizes["partial input"] else 0,
    }
    return expected == dict(sizes)


def check(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    path: Path,
    conditional: bool,
) -> None:
    """Raise UserError for tensors that are missing, misshapen, of integers or left over."""
    for name, tensor in expected.items():
        if name in state:
            check_fit(state[name], tensor, f"{path}: '{name}'", "the config asks")
        elif conditional or not is_partial(name):
            raise UserError(f"{path}: '{name}' is missing, shape {shape_text(tensor.shape)}.")
    surplus = sorted(state.keys() - expected.keys())
    if surplus:
        raise UserError(f"{path}: {len(surplus)} tensors have no place, '{surplus[0]}' first.")
