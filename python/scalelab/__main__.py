"""The `scalelab` command: `python -m scalelab` and the script of that name."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Runs the command line that this process was called with; returns its exit code."""
    # Python would only note an interrupt while Rust runs; the command ends, or stops its sweep, by itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from scalelab import _scalelab

    # By its file: a folder named scalelab where a worker is started takes no part.
    start = [sys.executable, os.path.abspath(__file__)]
    return _scalelab.main(["scalelab", *sys.argv[1:]], start, str(_scalelab.__file__))


if __name__ == "__main__":
    sys.exit(main())
