"""Settings of services and commands with passwords in files, as in containers."""

from pathlib import Path

import pytest

from wallet_cqrs.projection import replay
from wallet_cqrs.projection.replay import ReplaySettings
from wallet_cqrs.projection.settings import ProjectionSettings
from wallet_cqrs.query.settings import QuerySettings
from wallet_cqrs.rebuild.settings import RebuildSettings
from wallet_cqrs.relay.settings import RelaySettings

READERS = [ProjectionSettings, QuerySettings, RelaySettings, RebuildSettings, ReplaySettings]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings without a default. The read shards' password is in a file."""
    (tmp_path / "word").write_text("a password\n")
    monkeypatch.setenv("WALLET_READ_URLS", f"postgresql://a:{{file:{tmp_path}/word}}@0, postgresql://b@1")
    monkeypatch.setenv("WALLET_PORT", "4001")
    monkeypatch.setenv("WALLET_SERVICE_SECRET", "sixteen letters!")
    for url in ("EVENT_STORE", "BROKER", "REDIS"):
        monkeypatch.setenv(f"WALLET_{url}_URL", "x://y")


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)
def test_password_of_the_read_shards_is_read_from_its_file(kind: type[ReplaySettings]) -> None:
    """Services and commands read the read shards' password from its file, and do not show it."""
    settings = kind.model_validate({})
    urls = [url.get_secret_value() for url in settings.read_urls]
    assert urls == ["postgresql://a:a password@0", "postgresql://b@1"]
    assert "a password" not in repr(settings)


@pytest.mark.parametrize("partition", ["-1", "2"])
def test_replay_of_a_missing_partition_fails(partition: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A replay of a missing partition, also -1, fails with the valid numbers."""
    with pytest.raises(SystemExit, match="2"):
        replay.main(["--partition", partition])
    assert f"partition {partition} does not exist; choose 0 to 1" in capsys.readouterr().err
