"""Runs pytest in a fork of a process that has already imported the libraries. Imports take longer than most tests.

The process imports no package of this repository, so each run imports its own copy of them.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio.pytest_plugin
import pytest
import pytest_timeout  # type: ignore[import-untyped]

LIBRARIES = (
    *("aio_pika", "aiohttp", "anyio.pytest_plugin", "asyncpg", "duckdb", "fastapi", "httpx", "hypothesis"),
    *("msgspec", "prometheus_client", "psutil", "pydantic_settings", "pytest_timeout", "redis.asyncio"),
    *("rich.console", "typer", "uvicorn.protocols.http.httptools_impl", "uvloop"),
)
"""The libraries that most tests import in their own process."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(list(LIBRARIES))


def run_pytest(
    *arguments: str,
    import_first: Sequence[Path],
    variables: Mapping[str, str],
    output: Path,
    timeout_s: float,
) -> None:
    """Run pytest with these folders first on the import path, and write what it prints to `output`.

    Raises:
        TimeoutError: it has not ended in time, and was killed.
    """
    run = _FORKS.Process(target=_main, args=(arguments, tuple(import_first), dict(variables), output))
    run.start()
    run.join(timeout_s)
    if run.exitcode is None:
        run.kill()
        run.join()
        raise TimeoutError(f"pytest {' '.join(arguments)} has not ended after {timeout_s:.0f} s")


def _main(
    arguments: Sequence[str], import_first: Sequence[Path], variables: Mapping[str, str], output: Path
) -> None:
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(variables)
    sys.path[:0] = map(str, import_first)
    sys.orig_argv = ["pytest", *arguments]
    # Other plugins would take longer to load than most tests take to run.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    pytest.main(["-p", "no:cacheprovider", *arguments], plugins=[anyio.pytest_plugin, pytest_timeout])
