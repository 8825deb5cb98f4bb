"""Makes the weights that ship: trains what a card says, and packs the run into the zoo.

python -m inpaint_cli.zoo.making [NAME ...]           train (or go on) and pack; default: all
python -m inpaint_cli.zoo.making --pack NAME RUN      pack a finished run
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint_cli import models, zoo
from inpaint_cli.configuration import read_toml, to_toml
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import finished_stages
from inpaint_cli.files import write_text
from inpaint_cli.weights import CLASSES, hash_of, load_weights, read_header, save_weights

RUNS = Path("runs/zoo")


def train(card: Mapping[str, Any]) -> Path:
    """Run the card's training command, or go on with its run; return the run folder."""
    folder = RUNS / card["name"]
    earlier = sorted(folder.glob("*/config.toml"))
    arguments = shlex.split(card["training"]["command"])[1:]
    if earlier:
        arguments = ["train", "--resume", str(earlier[-1].parent)]
    command = [sys.executable, "-m", "inpaint_cli", *arguments, "--runs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"{card['name']}: training did not finish; the same command goes on.")
    newest: Path = max(folder.glob("*/config.toml"))
    return newest.parent


def pack(name: str, run: Path) -> Path:
    """Write the run's weights into the zoo, matrices as float16, and bring the card up to date.

    The card's texts and figures stay: figures must be measured anew with the packed weights.
    UserError where a stage was not trained: nobody could tell of weights that ship.
    """
    import torch

    source, target = run / "model.safetensors", zoo.FOLDER / f"{name}.safetensors"
    card = read_toml(target.with_suffix(".toml"))
    header = read_header(source)
    _check_trained(run, header)
    save_weights(
        target,
        load_weights(source).for_completion(),
        family=header["family"],
        preset=header["preset"],
        dtype=torch.float16,
        extra={name: header[name] for name in (CLASSES,) if name in header},
    )
    log = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    last = {entry["stage"]: entry for entry in log if entry.get("kind") == "step"}
    config = read_toml(run / "config.toml")
    training = {
        **card["training"],
        "steps": sum(entry["step"] for entry in last.values()),
        "seed": config["seed"],
        "hours": round(sum(entry["seconds"] for entry in last.values()) / 3600, 2),
    }
    facts = {
        "name": name,
        "family": header["family"],
        "preset": header["preset"],
        "sha256": hash_of(target),
        "size": target.stat().st_size,
        "training": training,
    }
    write_text(target.with_suffix(".toml"), to_toml({**card, **facts}))
    return target


def _check_trained(run: Path, header: Mapping[str, str]) -> None:
    """Raise UserError where a run did not begin all stages, and warn where it did not end one."""
    family, under_way = models.get(header["family"]), header.get("in_progress", "")
    done = finished_stages(family, [*header.get("stages", "").split(","), under_way])
    if missing := [name for name in family.stage_names if name not in done]:
        raise UserError(f"{run}: not trained yet: {', '.join(missing)}.")
    if under_way:
        text = f"warning: {run}: '{under_way}' is not finished, its step {header['step']} is packed"
        print(text, file=sys.stderr)


def main() -> None:
    """Parse the command line above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models of the zoo, all by default")
    parser.add_argument("--pack", nargs=2, metavar=("NAME", "RUN"))
    options = parser.parse_args()
    if options.pack:
        print(pack(options.pack[0], Path(options.pack[1])))
        return
    cards = {entry.name: entry.card for entry in zoo.entries()}
    for name in options.names or cards:
        if name not in cards:
            raise unknown_name("no card", name, cards)
        print(pack(name, train(cards[name])))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
