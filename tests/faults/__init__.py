"""Faults: what goes wrong on users' machines, drawn at random, and what the commands make of it.

    python -m tests.faults --minutes 30

prints how many cases of each kind were refused in one line, answered, or went wrong, and the
command that repeats each failure. `.ci/run` takes a short draw.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the helpers of the tests
