"""The stack of another checkout of the project, whose own `./lab` starts, audits and stops it.

The checkout can be old: only the commands `up`, `status`, `audit` and `down` of its lab and the contract must exist.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from wallet_lab.errors import LabError
from wallet_lab.report.model import Audit, Check, Route
from wallet_lab.stack.components import Entry
from wallet_lab.stack.files.home import default_home
from wallet_lab.workload.scenarios import Scenario
from wallet_lab.workload.series import CURRENCY

COMMAND_TIMEOUT_S = 600.0
"""The first command of a checkout sets up its environment."""
CALL_TIMEOUT_S = 20.0
BALANCE = 1_000_000
WALLET_EXISTS = 409
HOME = "other-checkouts"
"""The folder of their states, below the lab's home."""


@dataclass(frozen=True, slots=True)
class Lab:
    """The commands of another checkout, with a home of their own."""

    folder: Path
    home: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end. Raises LabError if it cannot be started or does not end."""
        try:
            return subprocess.run(
                [str(self.folder / "lab"), *arguments],
                env={**os.environ, "WALLET_LAB_HOME": str(self.home)},
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{self.folder}/lab {arguments[0]} did not run: {error}") from None

    def succeed(self, *arguments: str) -> str:
        """Run a command; returns its output. Raises LabError if it fails."""
        finished = self.run(*arguments)
        if finished.returncode:
            said = (finished.stderr or finished.stdout).strip().splitlines()
            raise LabError(
                f"{self.folder}/lab {' '.join(arguments)} failed: {said[-1] if said else 'no output'}"
            )
        return finished.stdout


@dataclass(frozen=True, slots=True)
class Other:
    """The running stack of another checkout."""

    lab: Lab
    architecture: str
    status: Mapping[str, Any]
    """As `./lab status --json` shows it."""

    @property
    def route(self) -> Route:
        """The route of its clients."""
        kinds = {component["kind"] for component in self.status["components"]}
        return "gateway" if "gateway" in kinds else "direct"

    @property
    def entry(self) -> Entry:
        """The URL of its clients."""
        return Entry.at(self.status["base_url"])

    def open_wallets(self, scenario: Scenario) -> None:
        """Open the wallets of a load through the API. A wallet that exists is kept."""
        for account in scenario.accounts:
            body = {"accountId": account, "currency": CURRENCY, "balance": BALANCE}
            self._post("/wallets", json.dumps(body).encode())

    def _post(self, path: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.status['base_url']}{path}", body, headers)  # noqa: S310 -- the stack's own service
        try:
            urlopen(request, timeout=CALL_TIMEOUT_S).close()  # noqa: S310 -- as above
        except HTTPError as error:
            if error.code != WALLET_EXISTS:
                raise LabError(f"{self.lab.folder}: opening a wallet was answered {error.code}") from None

    def audit(self) -> Audit | None:
        """Let its own lab audit its books."""
        finished = self.lab.run("audit", self.architecture)
        said = [line for line in finished.stdout.splitlines() if line.strip()]
        is_passed = finished.returncode == 0
        check = Check(
            name="./lab audit of the other checkout",
            passed=is_passed,
            found=int(not is_passed),
            violations=[] if is_passed else said[-1:] or ["no output"],
        )
        return Audit(passed=is_passed, checks=[check])


def home_of(folder: Path) -> Path:
    """Return the folder of a checkout's state. Each has its own, because versions differ in the files of a stack."""
    return default_home() / HOME / sha256(str(folder.resolve()).encode()).hexdigest()[:12]


@contextlib.contextmanager
def running_other(folder: Path, architecture: str) -> Iterator[Other]:
    """Run the stack of another checkout. Its data stay in the lab's home until the next time.

    Raises:
        LabError: its lab cannot start it.
    """
    lab = Lab(folder.resolve(), home_of(folder))
    lab.home.mkdir(parents=True, exist_ok=True)
    try:
        lab.succeed("up", architecture, "--fresh")
        yield Other(lab, architecture, json.loads(lab.succeed("status", architecture, "--json")))
    finally:
        lab.run("down", architecture)
