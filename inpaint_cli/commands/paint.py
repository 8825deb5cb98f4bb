"""`inpaint paint`: a page on this machine to mark the hole and choose among completions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint_cli.commands import options
from inpaint_cli.endings import in_background
from inpaint_cli.errors import UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.zoo import DEFAULT

if TYPE_CHECKING:
    from inpaint_cli.page.session import Session, SessionSettings

SECTIONS = {
    "What you need": ("mask", "model", "n", "seed", "output"),
    "The server": ("port", "no_browser"),
    "Running": ("overwrite", "device", "quiet", "verbose", "debug", "version", "help"),
}
LARGEST_PORT = 65535


@click.command(
    cls=options.SectionedCommand, sections=SECTIONS, context_settings={"show_default": True}
)
@click.argument("photo", required=False, metavar="[PHOTO]")
@click.option(
    "--mask",
    metavar="FILE|KIND",
    help="A hole to begin with: a mask file, white = fill in, or a kind to draw, such as freeform.",
)
@options.model(
    "What completes ('inpaint models' lists what ships).",
    default=DEFAULT,
)
@click.option(
    "-n",
    "n",
    type=options.whole(1, options.MOST_COMPLETIONS),
    metavar="N",
    show_default="8; 1 if deterministic",
    help="How many completions.",
)
@options.seed
@click.option(
    "-o",
    "--output",
    type=options.Folder(),
    default=Path("completions"),
    metavar="DIR",
    help="Where Save writes; nothing is written before.",
)
@click.option(
    "--port",
    type=options.whole(0, LARGEST_PORT),
    default=0,
    show_default="a free one",
    metavar="P",
    help="The port at 127.0.0.1, for 'ssh -L'.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Save also replaces files that are no earlier results. Inputs never are.",
)
@options.device
@options.interactive
def paint(
    photo: str | None,
    mask: str | None,
    model: str,
    n: int | None,
    seed: int,
    output: Path,
    port: int,
    no_browser: bool,
    overwrite: bool,
    device: str,
    reporter: Reporter,
) -> None:
    """Open a page on this machine to paint the hole of PHOTO and choose among completions.

    The address is printed and opened in the browser. Only this machine can reach it. Nothing is
    written until Save, which writes what 'inpaint complete' writes. Ctrl-C ends it.

    \b
    Examples:
      inpaint paint photo.jpg
      inpaint paint photo.jpg --mask mask.png --model picme -n 16 -o filled/
      inpaint paint --port 8765 --no-browser
    """
    from inpaint_cli.commands.output_options import check_place
    from inpaint_cli.page.order import LARGEST_SEED, MOST
    from inpaint_cli.page.session import SessionSettings

    if n is not None and n > MOST:
        raise UserError(f"must be at most {MOST} at the page, got {n}.", setting="n")
    if seed > LARGEST_SEED:
        raise UserError(f"must be at most {LARGEST_SEED} at the page, got {seed}.", setting="seed")
    check_place(output)
    if device != "auto":  # which takes torch, whose import is not worth waiting for otherwise
        from inpaint_cli.device import resolve

        resolve(device)
    settings = SessionSettings(output, model, n, seed, device, overwrite)
    session = session_of(settings, photo, mask, reporter)
    try:
        run(session, port, not no_browser)
    finally:
        session.close()
        if session.rounds.unsaved:
            count = session.rounds.unsaved
            reporter.note(f"note: {count} round{'s were' if count > 1 else ' was'} not saved.")


def session_of(
    settings: SessionSettings, photo: str | None, mask: str | None, reporter: Reporter
) -> Session:
    """Return a session with what the command line named; UserError where that cannot be had."""
    from inpaint_cli import masks
    from inpaint_cli.commands.hole_options import no_mask
    from inpaint_cli.page.choices import choices
    from inpaint_cli.page.session import Session
    from inpaint_cli.photos.listing import refuse_url

    session = Session(settings, choices(settings.model), reporter)
    if photo is None:
        if mask is not None:
            raise UserError("a mask needs its photo. Name that as well.", setting="mask")
        return session
    refuse_url(photo)
    session.open(Path(photo))
    for note in session.opened().picture.notes:
        reporter.note(f"{photo}: {note}.")
    if mask is None:
        return session
    if Path(mask).is_file():
        session.read_mask_file(Path(mask), mask, invert=False, alpha=False)
    elif masks.is_kind(mask):
        session.draw_mask(mask, settings.seed, settings.model)
    else:
        raise no_mask(mask)
    return session


def run(session: Session, port: int, browser: bool) -> None:
    """Serve the page and print its address."""
    from inpaint_cli.page.server import PageServer
    from inpaint_cli.page.serving import HERE, listening, serve

    debug = bool(click.get_current_context().ensure_object(dict).get("debug"))
    at = listening(port)
    page = PageServer(session, debug)
    address = f"http://{HERE}:{at.getsockname()[1]}/"
    click.echo(f"{address}#{page.token}")
    sys.stdout.flush()
    if browser:
        open_browser(f"{address}#once={page.once}", session.reporter)
    in_background(session.warm_up)
    serve(page, at)


def open_browser(address: str, reporter: Reporter) -> None:
    """Open the user's browser without waiting for it; tell where there is none.

    address: with a code of use once, since other users of the machine see command lines.
    """
    import webbrowser

    # A browser in this terminal would stand in the way of the remarks.
    shown = sys.platform in ("darwin", "win32") or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    )
    if not shown:
        reporter.note("no display here: open the address in a browser yourself.")
        return
    in_background(webbrowser.open, address)
