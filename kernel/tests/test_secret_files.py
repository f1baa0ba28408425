"""Secrets that containers share: random, created once, or chosen by the user."""

import re
from pathlib import Path

import pytest

from wallet_kernel.runtime.secret_files import main


def test_each_missing_secret_is_made(tmp_path: Path) -> None:
    """Every missing file gets its own random word, which every user may read and none may change."""
    paths = [tmp_path / "owner" / "database", tmp_path / "service" / "redis"]
    main([str(path) for path in paths])
    words = {path.read_text() for path in paths}
    assert len(words) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", word) for word in words)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o444}


def test_what_is_there_stays(tmp_path: Path) -> None:
    """A second start keeps the existing words, because the databases already use them."""
    main([str(tmp_path / "redis")])
    word = (tmp_path / "redis").read_text()
    main([str(tmp_path / "redis")])
    assert (tmp_path / "redis").read_text() == word


def test_the_users_own_word_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word from the environment replaces the random one."""
    main([str(tmp_path / "redis")])
    monkeypatch.setenv("WALLET_SECRET_REDIS", "chosen-by-the-user")
    main([str(tmp_path / "redis")])
    assert (tmp_path / "redis").read_text() == "chosen-by-the-user"


@pytest.mark.parametrize("word", ["short", "with/a:slash@in_it", "two words are too many"])
def test_a_word_that_would_break_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """A word that is unsafe in URLs, SQL or files is refused; the error names the secret but not the word."""
    monkeypatch.setenv("WALLET_SECRET_REDIS", word)
    with pytest.raises(SystemExit, match="redis") as stopped:
        main([str(tmp_path / "redis")])
    assert word not in str(stopped.value)
    assert not (tmp_path / "redis").exists()
