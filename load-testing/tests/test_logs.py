"""Logs keep their size limit and can be followed."""

from pathlib import Path

import pytest

from wallet_lab.stack.supervision import logs


def test_full_log_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a log exceeds its limit, its content moves aside and its writer continues in the same, emptied file."""
    monkeypatch.setattr(logs, "SIZE_MAX_BYTES", 10)
    path = tmp_path / "worker-0.log"
    with logs.open_log(path) as log:
        log.write(b"more than ten bytes\n")
        log.flush()
        logs.trim(path)
        log.write(b"next\n")
    assert path.read_text() == "next\n"
    assert (tmp_path / "worker-0.log.1").read_text() == "more than ten bytes\n"


def test_following_shows_whole_new_lines_once(tmp_path: Path) -> None:
    """If lines are written over time, some in two parts, each is shown once and complete."""
    path = tmp_path / "worker-0.log"
    path.write_text("old\n")
    offsets = {path: path.stat().st_size}
    with path.open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert logs._new_lines(path, offsets) == ["one"]
        log.write("o\n")
        log.flush()
        assert logs._new_lines(path, offsets) == ["two"]
    assert logs._new_lines(path, offsets) == []


def test_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    """The tail of a missing log is empty."""
    assert logs.tail(tmp_path / "none.log") == ""
