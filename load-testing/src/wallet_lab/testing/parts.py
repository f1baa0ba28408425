"""The part of a long list of test cases that a test run takes.

All mutations and wrong builds together take about as long as all other tests. So `./lab test` runs one third of each
list, and examines the conditions of a third of the audit's rules. The commit chooses the third, so a test run can be
repeated, and later commits run the other thirds.
"""

import os
import shutil
import subprocess
from pathlib import Path
from zlib import crc32

PART = "WALLET_TEST_PART"
"""The variable with the number of the part, from 0. If it is not set, a test run takes every case."""
PARTS = 3


def part_of_commit(checkout: Path) -> int:
    """Return the part that the checked-out commit chooses; 0 without git or outside a repository."""
    git = shutil.which("git")
    if git is None:
        return 0
    said = subprocess.run((git, "rev-parse", "HEAD"), cwd=checkout, capture_output=True, check=False)
    return crc32(said.stdout) % PARTS if said.returncode == 0 else 0


def is_in_part(name: str) -> bool:
    """Whether this test run takes the case of this name."""
    part = os.environ.get(PART)
    return part is None or crc32(name.encode()) % PARTS == int(part)
