"""The call log of k6, and the figures computed from it."""

from pathlib import Path

from wallet_lab.calls import Call, count, latency, read_calls, total


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    """Each line of the log that begins with "call" is a call; k6's own messages are ignored."""
    log = tmp_path / "calls"
    log.write_text(
        "call r-hot-pair-1-0 1764000000000 3.250 success 01a2\n"
        "Request Failed\n"
        "call r-hot-pair-2-0 1764000000001 20000.000 unknown:timeout -\n"
    )
    assert read_calls(log) == [
        Call("r-hot-pair-1-0", 1764000000000, 3.25, "success", "01a2"),
        Call("r-hot-pair-2-0", 1764000000001, 20000.0, "unknown:timeout", None),
    ]


def test_every_call_is_counted_once() -> None:
    """Each outcome is counted on its own, and refusals are counted by problem."""
    answers = [
        "success",
        "success",
        "pending",
        "refused:a",
        "refused:b",
        "refused:b",
        "unknown:x",
        "rejected:y",
        "error:z",
    ]
    outcomes = count(Call(str(number), 0, 1.0, answer, None) for number, answer in enumerate(answers))
    assert (outcomes.success, outcomes.pending, outcomes.refused) == (2, 1, {"a": 1, "b": 2})
    assert (outcomes.unknown, outcomes.rejected, outcomes.error) == (1, 1, 1)
    assert total(outcomes) == len(answers)


def test_latency_is_that_of_the_ranks() -> None:
    """For times of 1 … 1000 ms, the median is 500 ms and the distribution rises to the maximum."""
    found = latency([float(ms) for ms in range(1000, 0, -1)])
    assert found is not None
    assert (found.p50, found.p95, found.p99, found.max) == (500, 950, 990, 1000)
    assert found.distribution == sorted(found.distribution)
    assert found.distribution[-1] == (1.0, 1000.0)


def test_of_no_calls_there_is_no_latency() -> None:
    """Without calls, the latency is None, not 0."""
    assert latency([]) is None
