"""Idempotency keys and fingerprints, which identify a retried request."""

import re
from hashlib import blake2b

_KEY = re.compile(rb"[!-~]{1,255}")


class InvalidKey(ValueError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""


def parse_key(header: bytes | None) -> str | None:
    """Returns the key of an `Idempotency-Key` header, or None without a header. Raises InvalidKey."""
    if header is None:
        return None
    if _KEY.fullmatch(header) is None:
        raise InvalidKey(InvalidKey.__doc__)
    return header.decode("ascii")


def fingerprint(key: str | None, operation: str, *fields: str | int) -> bytes | None:
    """Returns 16 bytes that are equal for equal requests, or None for a request without an idempotency key.

    Amounts are passed in micros, so that 10 equals "10.00".
    """
    if key is None:
        return None
    meaning = "\x1f".join((operation, *map(str, fields)))
    return blake2b(meaning.encode(), digest_size=16).digest()
