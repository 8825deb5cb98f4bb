"""`python -m inpaint_cli` is `inpaint`."""

import sys


def run() -> None:
    """Run the command line; the entry point of `inpaint`."""
    try:
        from inpaint_cli import cli
    except KeyboardInterrupt:  # the imports alone take a moment
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    cli.run()


if __name__ == "__main__":
    run()
