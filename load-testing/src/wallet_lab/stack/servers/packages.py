"""Installs programs from the system's packages if the lab may; else an error says what to do."""

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from wallet_lab.environment_variables import of_installer
from wallet_lab.errors import CommandFailedError, LabError
from wallet_lab.stack.components import Command

INSTALL = Path(__file__).with_name("install_package.sh")

Runner = Callable[[Command], Awaitable[None]]
"""Runs a command to its end, and raises if it fails."""


async def ensure(program: Path, package: str, units: tuple[str, ...], run: Runner) -> None:
    """Install the package if its program is missing. The package's own services (`units`) are not started.

    Raises:
        LabError: the program is missing and cannot be installed.
    """
    if os.access(program, os.X_OK):
        return
    as_root = () if os.geteuid() == 0 else ("sudo", "-n")
    name = f"{package}-install"
    try:
        if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
            raise CommandFailedError(name, "needs apt-get and root")
        argv = (*as_root, "/bin/sh", str(INSTALL), package, *units)
        await run(Command(name=name, argv=argv, env=of_installer(os.environ), bare=True))
    except CommandFailedError as failed:
        raise LabError(
            f"{program.name} is missing: run 'sudo apt-get install {package}' and try again "
            "(the lab starts its own instance, so you may disable the system's service). "
            f"Its installation failed: {failed.reason}"
        ) from None
    if not os.access(program, os.X_OK):
        raise LabError(f"the package {package} is installed, but {program} is missing")
