"""Idempotency keys: what makes a retried request the same request."""

from hashlib import blake2b

_KEY_MAX = 255


class InvalidKey(ValueError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""


def parse_key(header: bytes | None) -> str | None:
    """The key of an `Idempotency-Key` header, or None where there is none. Raises InvalidKey."""
    if header is None:
        return None
    if not 1 <= len(header) <= _KEY_MAX or any(not 0x21 <= byte <= 0x7E for byte in header):
        raise InvalidKey(InvalidKey.__doc__)
    return header.decode("ascii")


def fingerprint(operation: str, *fields: str | int) -> bytes:
    """16 bytes that two requests share exactly if they mean the same; amounts go in as micros, so 10 equals "10.00"."""
    meaning = "\x1f".join((operation, *map(str, fields)))
    return blake2b(meaning.encode(), digest_size=16).digest()
