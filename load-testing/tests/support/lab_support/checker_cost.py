"""Measures the checker: python -m lab_support.checker_cost CALLS (in load-testing/tests/support).

`checker_cost.sql` makes the evidence of an honest run.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wallet_lab.checker.audit import audit_evidence, violations
from wallet_lab.checker.check import add_functions
from wallet_lab.checker.evidence import opened, save

_SQL = Path(__file__).with_suffix(".sql").read_text()


def write(folder: Path, calls: int) -> None:
    """Write the evidence of an honest run with this many calls."""
    with opened() as database:
        add_functions(database)
        for statement in _SQL.replace("$calls", str(calls)).split(";\n"):
            database.execute(statement)
        save(database, folder)


def main() -> None:
    """Write the evidence in one process, and check it in another one, so that the memory is that of the check."""
    if len(sys.argv) == 3:
        began_s = time.monotonic()
        found = violations(audit_evidence(Path(sys.argv[2])))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        sys.stdout.write(f"{time.monotonic() - began_s:.1f} s, {peak_mib} MiB, violations: {found}\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), int(sys.argv[1]))
        subprocess.run([sys.executable, "-m", "lab_support.checker_cost", "check", folder], check=True)


if __name__ == "__main__":
    main()
