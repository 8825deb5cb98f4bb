"""`python -m inpaint_cli` is `inpaint`."""

from inpaint_cli.cli import run

if __name__ == "__main__":
    run()
