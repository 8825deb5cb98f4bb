"""`inpaint convert`: the authors' weight files -> ours."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from inpaint_cli import models
from inpaint_cli.commands.options import common
from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.files import replacing, writing_once
from inpaint_cli.reporting import Reporter


def _layouts(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    return [name for name in models.layouts() if name.startswith(start)]


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE...",
)
@click.option(
    "--from",
    "layout",
    required=True,
    metavar="LAYOUT",
    shell_complete=_layouts,
    help=f"Whose files they are: {', '.join(models.layouts())}.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="OUT.safetensors",
    help="The weight file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT.safetensors if it is there.")
@common
def convert(
    files: tuple[Path, ...],
    layout: str,
    output: Path,
    overwrite: bool,
    as_json: bool,
    reporter: Reporter,
) -> None:
    """Read weight files of the papers' authors and write one of ours.

    Names and shapes are matched strictly: what does not fit is listed, and nothing is written.
    Nothing in the files is executed. The result serves as --model of complete; one of which only
    some stages are trained, as --from-weights of train.

    \b
    Examples:
      inpaint convert --from pcnn model.pt -o pcnn-mine.safetensors
      inpaint convert --from taming last.ckpt -o vqgan.safetensors
    """
    layouts = models.layouts()
    if layout in models.FAMILIES and layout not in layouts:
        theirs = " or ".join(f"'{name}'" for name, family in layouts.items() if family == layout)
        advice = f"layouts of its own: {theirs}" if theirs else "no files of its authors to read"
        raise UserError(f"--from: '{layout}' has {advice}.")
    if layout not in layouts:
        raise unknown_name("--from: no layout", layout, layouts)
    _check_output(output, files, layout, overwrite)
    for file in files:
        _check_foreign(file)
    reporter.loading(*map(str, files))
    from inpaint_cli.models.foreign import check_finite
    from inpaint_cli.weights import hash_of, preset_of, save_weights

    name = layouts[layout]
    family = models.get(name)
    model = family.convert(layout, files)
    check_finite(model, files)
    preset = preset_of(family, model.config)
    stages = model.trained_stages or family.stage_names
    extra = {"converted-from": layout, "stages": ",".join(stages)}
    once = writing_once(output, _there(output), reporter.note)
    with replacing(output) if overwrite else once as temporary:
        save_weights(temporary, model, family=name, preset=preset, extra=extra)
    facts = {"weights": str(output), "family": name, "preset": preset, "sha256": hash_of(output)}
    if as_json:
        click.echo(json.dumps({"schema": 1, **facts}, indent=2))
        return
    shown = shlex.quote(str(output))
    use = f"inpaint complete --model {shown}"
    if tuple(stages) != tuple(family.stage_names):
        use = f"inpaint train --from-weights {shown} --data ..."
    reporter.note(f"{name}, preset {preset}; use it with '{use}'.")
    click.echo(output)


def _check_output(output: Path, files: tuple[Path, ...], layout: str, overwrite: bool) -> None:
    if output.suffix != ".safetensors":
        raise UserError(f"-o: {output}: the suffix is the format; give a name in .safetensors.")
    if any(output.exists() and output.samefile(file) for file in files):
        raise UserError(f"-o: {output} is one of the files to read. Give another name.")
    if output.exists() and not overwrite and not _is_converted(output, layout):
        raise _there(output)


def _check_foreign(path: Path) -> None:
    """Raise UserError for a weight file of ours."""
    from inpaint_cli.weights import read_header

    if not path.is_file() or path.suffix != ".safetensors":
        return
    try:
        family = read_header(path)["family"]
    except UserError:
        return
    raise UserError(f"{path}: a model of inpaint already ('{family}'). Give it as --model.")


def _there(output: Path) -> UserError:
    return UserError(f"-o: {output} is there already. Replace it with --overwrite.")


def _is_converted(path: Path, layout: str) -> bool:
    """Return whether a file was converted from such a layout: it may be the same once more."""
    from inpaint_cli.weights import read_header

    try:
        return path.is_file() and read_header(path).get("converted-from") == layout
    except UserError:
        return False
