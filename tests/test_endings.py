"""A process that ends while work goes on beside it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, threading, time
from inpaint_cli.endings import end_beside_background, in_background
end_beside_background(4)  # nothing is beside it
in_background(time.sleep, 600)
def work():
    time.sleep(0.2)
    print("saved")
threading.Thread(target=work).start()
end_beside_background(3)
print("not reached")
"""


def test_it_ends_beside_the_background_and_after_all_else(top: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=top, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "saved\n", "")
