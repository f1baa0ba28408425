"""Idempotency keys, and the fingerprints that decide whether two requests are equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_kernel.idempotency import InvalidKey, fingerprint, parse_key

FIELDS = st.lists(
    st.from_regex(r"[A-Za-z0-9._:@-]{0,8}", fullmatch=True) | st.integers(0, 2**63 - 1), max_size=5
)


def test_request_without_the_header_has_no_key() -> None:
    """Without the header there is no key."""
    assert parse_key(None) is None


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_key_of_visible_ascii_is_accepted(key: str) -> None:
    """A key is 1 to 255 visible ASCII characters and is returned unchanged."""
    assert parse_key(key.encode()) == key


@pytest.mark.parametrize(
    "header", [b"", b"a" * 256, b"a b", b"a\tb", b"a\x7f", b"caf\xc3\xa9", b"\x00", b"a\n"]
)
def test_other_keys_are_refused(header: bytes) -> None:
    """An empty, overlong or invisible key is refused with a message that defines a key."""
    with pytest.raises(InvalidKey, match="1 to 255 visible ASCII"):
        parse_key(header)


@given(FIELDS, FIELDS)
def test_fingerprints_are_equal_exactly_for_equal_meaning(
    one: list[str | int], other: list[str | int]
) -> None:
    """Two requests have the same fingerprint if and only if their operation and all fields are equal."""
    same = list(map(str, one)) == list(map(str, other))
    assert (fingerprint("k", "transfer", *one) == fingerprint("k", "transfer", *other)) == same
    assert fingerprint("k", "transfer", *one) != fingerprint("k", "deposit", *one)


def test_fingerprint_changes_if_a_character_moves_between_fields() -> None:
    """Moving a character from one field to the next changes the fingerprint."""
    assert fingerprint("k", "transfer", "ab", "c") != fingerprint("k", "transfer", "a", "bc")
    assert fingerprint("k", "transfer", "user1", "user2") != fingerprint("k", "transfer", "user2", "user1")


def test_fingerprint_never_changes() -> None:
    """A fingerprint's value is fixed, because later releases compare it with stored ones."""
    assert fingerprint("k", "transfer", "user1", "user2", 10_234_000, "USD") == bytes.fromhex(
        "0fd6c63f97146bf1d76d27be595ecb7c"
    )


def test_request_without_a_key_has_no_fingerprint() -> None:
    """A request without an idempotency key is never compared with another one."""
    assert fingerprint(None, "transfer", "user1", "user2") is None
