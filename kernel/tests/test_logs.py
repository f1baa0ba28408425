"""Logs: one JSON object per line, with the ids of its request and transfer."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import pytest

from wallet_kernel.runtime.logs import JsonFormatter, configure_logs, request_id, transaction_id


@pytest.fixture
def in_a_request() -> Iterator[None]:
    """Sets request r-1, which executes transfer 1."""
    tokens = request_id.set("r-1"), transaction_id.set(UUID(int=1))
    yield
    request_id.reset(tokens[0])
    transaction_id.reset(tokens[1])


def line(message: str, *args: object, **extra: object) -> dict[str, object]:
    """Returns the log entry of a service named `worker`."""
    record = logging.getLogger("wallet_kernel.x").makeRecord(
        "wallet_kernel.x", logging.WARNING, __file__, 1, message, args, None, extra=extra
    )
    decoded: dict[str, object] = json.loads(JsonFormatter("worker").format(record))
    return decoded


def test_entry_has_its_event_and_keys() -> None:
    """An entry has time with zone, level, service, logger, event, and its keys; empty keys are left out."""
    event = line("step %s", "done", shard=1, transaction=UUID(int=7))
    assert datetime.fromisoformat(str(event.pop("at"))).tzinfo is not None
    assert event == {
        "level": "warning",
        "service": "worker",
        "logger": "wallet_kernel.x",
        "event": "step done",
        "shard": 1,
        "transaction": "00000000-0000-0000-0000-000000000007",
    }


@pytest.mark.usefixtures("in_a_request")
def test_entries_of_a_request_have_its_ids() -> None:
    """Every entry of a request has its ids automatically."""
    event = line("debited")
    assert (event["request_id"], event["transfer_id"]) == (
        "r-1",
        str(UUID(int=1)),
    )


def test_traceback_is_in_the_line_of_its_entry() -> None:
    """A traceback is a member of its entry."""
    try:
        int("broken")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    text = JsonFormatter("worker").format(record)
    assert "\n" not in text
    assert "ValueError: invalid literal" in json.loads(text)["error"]


def test_every_logger_writes_json_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """All loggers write JSON to standard error and leave out entries below the level; standard output stays empty."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logs("worker", "warning")
        logging.getLogger("uvicorn.error").warning("from a library\nin two lines")
        logging.getLogger("wallet_kernel").info("not at this level")
    finally:
        root.handlers[:], root.level = handlers, level
    captured = capsys.readouterr()
    (written,) = captured.err.splitlines()
    assert json.loads(written)["event"] == "from a library\nin two lines"
    assert captured.out == ""
