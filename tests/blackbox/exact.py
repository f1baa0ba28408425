"""JSON encoding and decoding that never passes a number through a binary float."""

from __future__ import annotations

import json
import re
from decimal import Decimal

MICRO = Decimal("0.000001")
MONEY_MAX = Decimal("9223372036854.775807")


class Literal(str):
    """JSON text that is sent exactly as written: ``Literal("1e1")`` is a number, ``"1e1"`` a string."""

    __slots__ = ()


def encode(value: object) -> bytes:
    """The JSON text of a value. Decimals become plain digits; literals stay as they are."""
    return _text(value).encode()


def _text(value: object) -> str:
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return json.dumps(value)


def decode(content: bytes) -> object:
    """The value of a JSON text. Fractions become ``Decimal``."""
    return json.loads(content, parse_float=Decimal)


def number_texts(content: bytes, member: str) -> list[str]:
    """The exact texts of all numbers under this member name, which a parsed value no longer shows."""
    pattern = rf'"{re.escape(member)}"\s*:\s*([^\s,}}\]]+)'
    return re.findall(pattern, content.decode())
