"""One thin file a command: parse, call, print. cli.py imports a command only when it is called."""
