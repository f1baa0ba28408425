"""Settings from environment variables (`WALLET_…`). They are read once at start and never change."""

import json
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from wallet_kernel.runtime.secret_files import expand


def _split(value: object, separator: str = ",") -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip(" ,") for part in re.split(separator, value) if part.strip(" ,")]


def _split_addresses(value: object) -> object:
    return _split(value, separator=r",(?=\s*[a-z][a-z0-9+.-]*://)")


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list written with commas (`USD,EUR,GBP`) or as JSON (`["USD", "EUR", "GBP"]`)."""

SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_addresses)]
"""A `CommaList` of addresses that contain passwords. One address may name several servers (`a://one:1,two:2/name`)."""

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
"""An ISO 4217 code. The pattern matters because documents contain it without escaping."""


class Settings(BaseSettings):
    """The settings of any process. `{file:/path}` in a value is replaced by the content of that file."""

    model_config = SettingsConfigDict(env_prefix="WALLET_", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        return expand(value) if isinstance(value, str) else value


class ServiceSettings(Settings):
    """The settings of every service."""

    host: str = Field("127.0.0.1", description="Address of the service's own port.")
    port: int = Field(description="The service's own port: health, metrics and internal routes.")
    service_secret: SecretStr = Field(
        description="The shared secret of internal requests; at least 16 characters.", min_length=16
    )
    currencies: Annotated[tuple[Currency, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("USD", "EUR", "GBP"), description="Currencies a wallet may hold.", min_length=1
    )
    log_level: str = Field("info", description="debug, info, warning or error.")
    drain_timeout_s: float = Field(
        20.0, gt=0, description="Time limit for a stopping service to finish accepted requests."
    )
    in_flight_max: int = Field(4096, gt=0, description="Requests served at the same time; above that, 503.")
    traces_url: str = Field(
        "", description="The OTLP over HTTP address that receives spans; if it is empty, nothing is traced."
    )
    traces_share: float = Field(1.0, ge=0, le=1, description="The share of transactions that is traced.")


class PublicSettings(ServiceSettings):
    """The settings of a service with a public port."""

    public_host: str = Field("127.0.0.1", description="Address of the public port.")
    public_port: int = Field(3000, description="The public port; replicas on one machine may share it.")
    api_keys: CommaList = Field((), description="If set, public calls need one of these as a bearer token.")
