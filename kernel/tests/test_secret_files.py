"""Secrets that containers share: random, created once, or chosen by the user."""

import re
from pathlib import Path

import pytest

from wallet_kernel.runtime.secret_files import main


def test_each_missing_secret_is_created(tmp_path: Path) -> None:
    """Every missing file gets its own random password, which every user may read and none may change."""
    paths = [tmp_path / "owner" / "database", tmp_path / "service" / "redis"]
    main([str(path) for path in paths])
    passwords = {path.read_text() for path in paths}
    assert len(passwords) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", password) for password in passwords)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o444}


def test_existing_secret_is_kept(tmp_path: Path) -> None:
    """A second start keeps the existing passwords, because the databases already use them."""
    main([str(tmp_path / "redis")])
    password = (tmp_path / "redis").read_text()
    main([str(tmp_path / "redis")])
    assert (tmp_path / "redis").read_text() == password


def test_secret_of_the_user_has_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password from the environment replaces the random one."""
    main([str(tmp_path / "redis")])
    monkeypatch.setenv("WALLET_SECRET_REDIS", "chosen-by-the-user")
    main([str(tmp_path / "redis")])
    assert (tmp_path / "redis").read_text() == "chosen-by-the-user"


@pytest.mark.parametrize("password", ["short", "with/a:slash@in_it", "two words are too many"])
def test_secret_that_would_break_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """A password that is unsafe in URLs, SQL or files is refused; the error names the secret but does not show it."""
    monkeypatch.setenv("WALLET_SECRET_REDIS", password)
    with pytest.raises(SystemExit, match="redis") as stopped:
        main([str(tmp_path / "redis")])
    assert password not in str(stopped.value)
    assert not (tmp_path / "redis").exists()
