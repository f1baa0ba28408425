"""Logs stay within their bound and can be followed."""

from pathlib import Path

import pytest

from wallet_lab import logs


def test_a_full_log_moves_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a log over its bound, then its writer goes on in the same file, emptied."""
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
    """Given lines written over time, some in two parts, then each is shown once and whole."""
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


def test_the_tail_of_no_log_is_empty(tmp_path: Path) -> None:
    """A component that never wrote has an empty log."""
    assert logs.tail(tmp_path / "none.log") == ""
