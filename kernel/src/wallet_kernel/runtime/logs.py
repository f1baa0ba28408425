"""Logging to standard error: events with keys, as one JSON object per line."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import UUID

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The X-Request-Id of the current request, if its client sent one."""

transaction_id: ContextVar[UUID | None] = ContextVar("transaction_id", default=None)
"""The transfer that is being executed, if any."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record with its `extra` members and the ids of its request and transfer."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Returns one line of JSON."""
        event = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": record.getMessage(),
            "request_id": request_id.get(),
            "transfer_id": transaction_id.get(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in event.items() if value is not None}, default=str)


def configure_logs(service: str, level: str) -> None:
    """Sends the logs of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
