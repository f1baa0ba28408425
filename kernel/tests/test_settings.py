"""Settings come only from the environment. If one is missing or invalid, the service does not start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from wallet_kernel.runtime.settings import PublicSettings, SecretList, ServiceSettings, Settings

SECRET = "sixteen letters!"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the two settings without a default."""
    monkeypatch.setenv("WALLET_PORT", "4001")
    monkeypatch.setenv("WALLET_SERVICE_SECRET", SECRET)


def read() -> ServiceSettings:
    """Returns the settings as a service reads them."""
    return ServiceSettings.model_validate({})


def test_defaults_are_for_one_machine() -> None:
    """The defaults are the loopback address, the contract's currencies, and bounds."""
    settings = read()
    assert (settings.host, settings.port) == ("127.0.0.1", 4001)
    assert settings.currencies == ("USD", "EUR", "GBP")
    assert settings.in_flight_max > 0
    assert settings.drain_timeout_s > 0


@pytest.mark.parametrize("missing", ["WALLET_PORT", "WALLET_SERVICE_SECRET"])
def test_setting_without_a_default_is_required(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Without a port or secret, a service does not start, and the error names the setting."""
    monkeypatch.delenv(missing)
    with pytest.raises(ValidationError, match=missing.removeprefix("WALLET_").lower()):
        read()


def test_secret_is_not_printed() -> None:
    """Neither repr nor an error message contains the secret."""
    settings = read()
    assert SECRET not in repr(settings)
    assert settings.service_secret.get_secret_value() == SECRET


def test_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret has at least 16 characters."""
    monkeypatch.setenv("WALLET_SERVICE_SECRET", SECRET[:-1])
    with pytest.raises(ValidationError, match="16"):
        read()


@pytest.mark.parametrize("written", ["USD,CHF", " USD , CHF ,", '["USD", "CHF"]'])
def test_lists_are_written_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """A list may be written with commas or as JSON."""
    monkeypatch.setenv("WALLET_CURRENCIES", written)
    assert read().currencies == ("USD", "CHF")


@pytest.mark.parametrize("written", ["", ",", "[]", "usd", "US", 'U"D', '["USD"', "[7]"])
def test_currencies_are_codes(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """Currencies are one or more codes of three capital letters, because documents contain them without escaping."""
    monkeypatch.setenv("WALLET_CURRENCIES", written)
    with pytest.raises(ValidationError, match="currencies"):
        read()


@pytest.mark.parametrize(
    ("name", "value"), [("DRAIN_TIMEOUT_S", "0"), ("IN_FLIGHT_MAX", "0"), ("PORT", "http")]
)
def test_values_out_of_range_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A bound of 0 or an invalid port stops the service at its start."""
    monkeypatch.setenv(f"WALLET_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        read()


def test_settings_never_change() -> None:
    """Settings cannot be changed after they are read."""
    settings = read()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    """Every setting has a description in its definition."""
    assert all(field.description for field in ServiceSettings.model_fields.values())


def test_password_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`{file:/path}` in a value is replaced by the content of that file, also in a list."""
    (tmp_path / "word").write_text("from a file\n")
    monkeypatch.setenv("WALLET_SERVICE_SECRET", f"secret {{file:{tmp_path}/word}}")
    monkeypatch.setenv("WALLET_API_KEYS", f"first,{{file:{tmp_path}/word}}")
    settings = PublicSettings.model_validate({})
    assert settings.service_secret.get_secret_value() == "secret from a file"
    assert settings.api_keys == ("first", "from a file")


def test_missing_password_file_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file is missing, the error names the setting and the file."""
    monkeypatch.setenv("WALLET_SERVICE_SECRET", "{file:/not/there}")
    with pytest.raises(ValidationError, match=r"service_secret\n.*/not/there: No such file"):
        read()


class Shards(Settings):
    """Settings with a list of addresses."""

    read_urls: SecretList


@pytest.mark.parametrize(
    "written", ["pg://me:a@x:1,y:2/n, pg://z:3/n,", '["pg://me:a@x:1,y:2/n", "pg://z:3/n"]']
)
def test_address_in_a_list_may_name_several_servers(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """A comma inside an address does not start a new address."""
    monkeypatch.setenv("WALLET_READ_URLS", written)
    urls = [url.get_secret_value() for url in Shards.model_validate({}).read_urls]
    assert urls == ["pg://me:a@x:1,y:2/n", "pg://z:3/n"]
