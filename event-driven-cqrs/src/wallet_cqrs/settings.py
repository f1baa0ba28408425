"""Kinds of settings that several services of this architecture have."""

from typing import Annotated

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""Addresses with passwords in them, written with commas."""
