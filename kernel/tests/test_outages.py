"""The log entries of an outage."""

import logging

import pytest

from wallet_kernel.outages import Outage


def test_outage_is_two_lines_however_many_calls_fail(caplog: pytest.LogCaptureFixture) -> None:
    """The first line has the cause, the last one the number of failed calls; the next outage has its own lines."""
    outage = Outage(logging.getLogger("test"), "event-store")
    outage.ended()
    for _ in range(100):
        outage.failed(OSError("refused"), calls=3)
    outage.ended()
    outage.ended()
    outage.failed(OSError("refused"))
    assert [record.getMessage() for record in caplog.records] == [
        "dependency lost",
        "dependency back",
        "dependency lost",
    ]
    assert caplog.records[0].__dict__["cause"] == "OSError('refused')"
    assert caplog.records[1].__dict__["failed"] == 300
    assert not any(record.exc_info for record in caplog.records)
