"""Exact money: integers of 10^-6 (micros) inside, exact decimals in JSON, never a binary float."""

import re

from msgspec import DecodeError
from msgspec.json import decode

MICROS_PER_UNIT = 1_000_000
AMOUNT_MAX_MICROS = 2**63 - 1
"""9223372036854.775807 units, the maximum of a signed 64-bit integer."""

_PLACES = 6
_DIGITS_MAX = len(str(AMOUNT_MAX_MICROS))
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_PLAIN = re.compile(r"()([0-9]+)(?:\.([0-9]+))?()")


class InvalidAmount(ValueError):
    """The amount is not an exact decimal in the accepted range. The message gives the reason."""


def parse_amount(raw: bytes) -> int:
    """Returns the micros of an amount above zero: a JSON number, or a string of plain decimal digits.

    `raw` is the JSON value from the body, unparsed, so that no float loses digits. Raises InvalidAmount if the amount
    is malformed, not above zero, or out of range.
    """
    micros = parse_balance(raw)
    if micros == 0:
        raise InvalidAmount("must be greater than 0")
    return micros


def parse_balance(raw: bytes) -> int:
    """Returns the micros of an amount that may be zero (an opening balance). Otherwise like `parse_amount`."""
    sign, whole, fraction, exponent = _parts(raw)
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    if sign:
        raise InvalidAmount("must not be negative")
    scale = _clamped(exponent) - len(fraction) + len(digits) - len(significant) + _PLACES
    if scale < 0:
        raise InvalidAmount(f"has more than {_PLACES} decimal places")
    if len(significant) + scale > _DIGITS_MAX:
        raise InvalidAmount(f"is above {format_micros(AMOUNT_MAX_MICROS)}")
    micros: int = int(significant) * 10**scale
    if micros > AMOUNT_MAX_MICROS:
        raise InvalidAmount(f"is above {format_micros(AMOUNT_MAX_MICROS)}")
    return micros


def format_micros(micros: int) -> str:
    """Returns the exact decimal as a JSON number: no exponent, no trailing zeros (`10024.2`, `-0.000001`, `0`)."""
    sign, magnitude = ("-", -micros) if micros < 0 else ("", micros)
    whole, fraction = divmod(magnitude, MICROS_PER_UNIT)
    return f"{sign}{whole}.{fraction:06d}".rstrip("0") if fraction else f"{sign}{whole}"


def _parts(raw: bytes) -> tuple[str, str, str, str]:
    text, pattern = raw.decode("utf-8", "replace").strip(), _NUMBER
    if text.startswith('"'):
        text, pattern = _string(raw), _PLAIN
    match = pattern.fullmatch(text)
    if match is None:
        raise InvalidAmount("must be a decimal number, or a string of plain decimal digits")
    sign, whole, fraction, exponent = match.groups("")
    return sign, whole, fraction, exponent


def _string(raw: bytes) -> str:
    try:
        text: str = decode(raw, type=str)
        return text
    except (DecodeError, UnicodeDecodeError) as error:
        raise InvalidAmount("is not valid JSON text") from error


def _clamped(exponent: str) -> int:
    """Returns the exponent, or ±10^6 if it has over six digits: a body of 64 KiB makes these equivalent."""
    sign, digits = ("-", exponent[1:]) if exponent.startswith("-") else ("", exponent.lstrip("+"))
    digits = digits.lstrip("0") or "0"
    return int(sign + (digits if len(digits) <= 6 else "1000000"))
