"""The events of a wallet, and how the event store encodes them.

An event is stored as JSON with its type and schema version. A change of a schema increments its version and adds an
upcaster, so that old events can still be decoded. Amounts are micros (10^-6).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from msgspec import DecodeError, Struct, ValidationError, convert
from msgspec.json import Decoder, Encoder
from msgspec.json import decode as decode_json

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
PostingKind = Literal["transfer", "deposit", "withdrawal"]


class Event(Struct, frozen=True, gc=False):
    """A change of one wallet. Stream, version and time are in the envelope (`EventMessage`)."""


class WalletOpened(Event, frozen=True, gc=False):
    """The wallet was opened; its opening balance came from the external account."""

    currency: str
    balance_micros: int


class BalanceDebited(Event, frozen=True, gc=False):
    """Money left the wallet."""

    amount_micros: int
    kind: PostingKind
    counterparty: str


class BalanceCredited(Event, frozen=True, gc=False):
    """Money entered the wallet."""

    amount_micros: int
    kind: PostingKind
    counterparty: str


class WalletFrozen(Event, frozen=True, gc=False):
    """The wallet was frozen: it can neither send nor receive money."""


class WalletUnfrozen(Event, frozen=True, gc=False):
    """The wallet was unfrozen: it can send and receive money again."""


class WalletClosed(Event, frozen=True, gc=False):
    """The wallet was empty and was closed permanently."""


class UndecodableEvent(Exception):
    """The stored event has an unknown type or schema version, or its data does not match the schema."""


class Encoded(NamedTuple):
    """An encoded event, as the event store keeps it."""

    type: str
    schema_version: int
    data: bytes


SCHEMA_VERSIONS: dict[type[Event], int] = {
    WalletOpened: 1,
    BalanceDebited: 2,
    BalanceCredited: 2,
    WalletFrozen: 1,
    WalletUnfrozen: 1,
    WalletClosed: 1,
}
"""Every event type and its current schema version."""


def _only_transfers(old: dict[str, Any]) -> dict[str, Any]:
    """Adds the kind to a posting of schema 1, in which every posting was a transfer."""
    return {**old, "kind": "transfer"}


_UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("BalanceDebited", 1): _only_transfers,
    ("BalanceCredited", 1): _only_transfers,
}
"""Functions that convert an event from one schema version to the next."""

_TYPES = {event.__name__: event for event in SCHEMA_VERSIONS}
_DECODERS: dict[tuple[str, int], Decoder[Event]] = {
    (event.__name__, version): Decoder(event) for event, version in SCHEMA_VERSIONS.items()
}
_HEADERS = {event: (event.__name__, version) for event, version in SCHEMA_VERSIONS.items()}
_encode = Encoder().encode


def encode(event: Event) -> Encoded:
    """Encodes an event in its current schema version."""
    name, version = _HEADERS[type(event)]
    return Encoded(name, version, _encode(event))


def decode(name: str, schema_version: int, data: bytes) -> Event:
    """Decodes an event of any known schema version. Raises UndecodableEvent if that fails."""
    decoder = _DECODERS.get((name, schema_version))
    try:
        return decoder.decode(data) if decoder else _upcast(name, schema_version, data)
    except (DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableEvent(f"{name} in schema {schema_version}: {error}") from error


def _upcast(name: str, schema_version: int, data: bytes) -> Event:
    event = _TYPES.get(name)
    if event is None or not 1 <= schema_version < SCHEMA_VERSIONS[event]:
        raise UndecodableEvent(f"unknown event type or schema version: {name}, schema {schema_version}")
    members = decode_json(data, type=dict[str, Any])
    for version in range(schema_version, SCHEMA_VERSIONS[event]):
        members = _UPCASTERS[name, version](members)
    return convert(members, event)
