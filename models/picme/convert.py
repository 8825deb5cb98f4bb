"""Reads PIC's networks (Zheng et al. 2019), which are PICME's with one primitive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from inpaint_cli.errors import UserError
from inpaint_cli.models.foreign import check_fit, read_state, skeleton
from inpaint_cli.models.picme.config import PRESETS, MixtureConfig
from inpaint_cli.models.picme.networks import MixtureOfPrimitives

NETWORKS = {"E": "encoder", "G": "decoder", "D": "generated", "D_rec": "reconstructed"}
"""Ending of PIC's file names -> our network."""
SIZE = 256
"""Side at which PIC was trained; its files do not tell."""
TWICE = re.compile(r"\.(model|shortcut)\.\d+\.module\.")
"""Under such names every convolution is stored a second time."""
BLOCKS = (
    (r"encoder\.block0\.(.*)", r"block0.\1"),
    (r"encoder\.down\.(\d+)\.(.*)", r"encoder\1.\2"),
    (r"encoder\.infer\.(\d+)\.(.*)", r"infer_prior\1.\2"),
    (r"encoder\.head\.prior\.(.*)", r"prior.\1"),
    (r"encoder\.posterior_head\.(.*)", r"posterior.\1"),
    (r"decoder\.generator\.(.*)", r"generator.\1"),
    (r"decoder\.up\.(\d+)\.norm1\.(.*)", r"decoder\1.model.0.\2"),
    (r"decoder\.up\.(\d+)\.norm2\.(.*)", r"decoder\1.model.3.\2"),
    (r"decoder\.up\.(\d+)\.(.*)", r"decoder\1.\2"),
    (r"decoder\.attention\.(.*)", r"attn1.\1"),
    (r"discriminators\.\w+\.down\.(\d+)\.(.*)", r"encoder\1.\2"),
    (r"discriminators\.\w+\.attention\.(.*)", r"attn2.\1"),
    (r"discriminators\.\w+\.(block0|block1|conv)\.(.*)", r"\1.\2"),
)
"""Our names -> PIC's, but for what follows a convolution's name."""


def convert(files: Sequence[Path]) -> MixtureOfPrimitives:
    """Return the model in a folder of PIC's checkpoints, or in the files of its networks.

    `..._net_E.pth` and `..._net_G.pth` are needed; the discriminators matter for training only.
    Pickles are read with weights_only: nothing in them is executed.
    """
    paths = _locate(files)
    states = {name: read_state(path) for name, path in paths.items()}
    config = config_of(states, paths["E"])
    tensors = sum(map(len, states.values()))
    # Compared first: sizes of one tensor alone could make a network that no machine holds.
    expected = skeleton(lambda: MixtureOfPrimitives(config), tensors, paths["E"]).state_dict()
    ours: dict[str, Tensor] = {}
    for name, state in states.items():
        part = {n: t for n, t in expected.items() if network_of(n) == NETWORKS[name]}
        ours |= translate(state, part, paths[name])
    model = MixtureOfPrimitives(config)
    model.load_state_dict(model.state_dict() | ours)
    return model.eval()


def network_of(name: str) -> str:
    """Return the network that our entry `name` belongs to.

    >>> network_of("encoder.block0.conv1.bias"), network_of("discriminators.generated.conv.bias")
    ('encoder', 'generated')
    """
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first == "discriminators" else first


def their_name(name: str) -> str | None:
    """Return PIC's entry for ours; None for what only mixtures have.

    >>> their_name("decoder.out.0.conv1.norm.u")
    'out1.conv1.module.weight_u'
    """
    if name.startswith(("encoder.head.mix.", "usage", "idle")):
        return None
    out = re.fullmatch(r"decoder\.out\.(\d+)\.(.*)", name)
    if out:
        stem = f"out{int(out[1]) + 1}.{out[2]}"
    else:
        pairs = ((re.fullmatch(ours, name), theirs) for ours, theirs in BLOCKS)
        stem = next(match.expand(theirs) for match, theirs in pairs if match)
    if re.search(r"(conv\d?|bypass)\.norm\.u$", stem):
        return stem.replace(".norm.u", ".module.weight_u")
    if re.search(r"(conv\d?|bypass)\.(weight|bias)$", stem) and "query_conv" not in stem:
        head, _, last = stem.rpartition(".")
        return f"{head}.module.{'weight_bar' if last == 'weight' else last}"
    return stem


def translate(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: Path
) -> dict[str, Tensor]:
    """Return our entries of one network; UserError for what is missing, left over or misshapen."""
    left = dict(state)
    ours: dict[str, Tensor] = {}
    for name, tensor in expected.items():
        theirs = their_name(name)
        if theirs is None:
            continue
        if theirs not in left:
            raise UserError(f"{where}: '{theirs}' is missing, so it is no such network of PIC.")
        ours[name] = left.pop(theirs)
        check_fit(ours[name], tensor, f"{where}: '{theirs}'", "the other files ask")
    # The right singular vectors follow from the left ones; the last are unused in PIC.
    known = re.compile(r"module\.weight_v$|^attn2\.(alpha$|model\.)")
    surplus = sorted(n for n in left if not TWICE.search(n) and not known.search(n))
    if surplus:
        raise UserError(f"{where}: {len(surplus)} tensors have no place, '{surplus[0]}' first.")
    return ours


def config_of(states: Mapping[str, Mapping[str, Tensor]], where: Path) -> MixtureConfig:
    """Return the config that PIC's shapes tell; losses are set to PIC's."""
    e, rivals = states["E"], {"D", "D_rec"} <= states.keys()
    try:
        width, channels = e["block0.conv1.module.weight_bar"].shape[:2]
        layers = 1 + _count(e, "encoder")
        return MixtureConfig(
            size=SIZE,
            channels=channels,
            levels=256,
            layers=layers,
            width=width,
            widest=len(e["posterior.conv1.module.bias"]),
            latent_channels=len(e["posterior.conv2.module.bias"]) // 2,
            infer_blocks=_count(e, "infer_prior"),
            primitives=1,
            disc_layers=1 + _count(states["D"], "encoder") if rivals else 0,
            sigma_clamp=(),
            divergence_order="posterior",
            posterior_share=0.0,
            posterior_prior=True,
            adversarial="pic",
            prior_weight=0.0,
            visible_weight=0.0,
            training=PRESETS["photo256"].training,
        )
    except KeyError as error:
        raise UserError(f"{where}: no encoder of PIC ({error} is missing).") from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{where}: no encoder of PIC: its first tensors have other dimensions."
        ) from error


def _count(state: Mapping[str, Tensor], block: str) -> int:
    return sum(f"{block}{number}.conv1.module.bias" in state for number in range(100))


def _locate(files: Sequence[Path]) -> dict[str, Path]:
    """Return PIC's networks among the files, and those in folders."""
    networks: dict[str, Path] = {}
    for path in files:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        for each in inside:
            match = re.search(r"_net_(E|G|D|D_rec)\.(pth|safetensors)$", each.name)
            if not match:
                continue
            if match[1] in networks:
                raise UserError(
                    f"{each}: a second net_{match[1]}, beside {networks[match[1]].name}. Name the "
                    "files of one iteration."
                )
            networks[match[1]] = each
    for name in ("E", "G"):
        if name not in networks:
            raise UserError(f"pic: no file ..._net_{name}.pth among those given.", setting="from")
        if not networks[name].is_file():
            raise UserError(f"{networks[name]}: no such file.")
    return networks
