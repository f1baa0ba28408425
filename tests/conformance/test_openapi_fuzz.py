"""The OpenAPI document is exact: a public fuzzer finds no request or answer that contradicts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blackbox.api import WalletApi
from tests.blackbox.stack import Stack

CONFIG = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]
EXAMPLES = 20
SEED = 2026
TIMEOUT_S = 300


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 20)
def test_fuzzer_finds_no_contradiction_to_the_document(stack: Stack, api: WalletApi, tmp_path: Path) -> None:
    """Schemathesis accepts every answer to valid, invalid and linked requests, with all its checks.

    The hooks in openapi_hooks.py change valid requests that the schema cannot distinguish from refused ones.
    """
    for account in ("user1", "user2"):  # the accounts in the document's examples
        assert api.open_wallet(account, balance=1000).status in (201, 409)
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    argv += [f"{stack.base_url}/openapi.json"]
    argv += ["--checks", "all", "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--no-color"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    fuzzed = subprocess.run(
        argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-6000:] + fuzzed.stderr[-2000:]
