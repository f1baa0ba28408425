"""What happened to a wallet: the events, and how they lie in the event store for ever.

An event is stored as JSON beside its type and the version of its schema. When a schema changes, its version goes up
and an upcaster is added, so that what was written years ago still decodes. Amounts are micros (10^-6).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from msgspec import DecodeError, Struct, ValidationError, convert
from msgspec.json import Decoder, Encoder
from msgspec.json import decode as decode_json

TransferKind = Literal["transfer", "opening", "deposit", "withdrawal"]
PostingKind = Literal["transfer", "deposit", "withdrawal"]

EXTERNAL = "@external"
"""The other side of openings, deposits and withdrawals."""


class Event(Struct, frozen=True, gc=False):
    """Something that happened to one wallet; its stream, version and time are the envelope's."""


class WalletOpened(Event, frozen=True, gc=False):
    """A wallet exists from now on; its opening balance came from the external account."""

    currency: str
    balance_micros: int


class BalanceDebited(Event, frozen=True, gc=False):
    """Money left the wallet."""

    amount_micros: int
    kind: PostingKind
    counterparty: str


class BalanceCredited(Event, frozen=True, gc=False):
    """Money came into the wallet."""

    amount_micros: int
    kind: PostingKind
    counterparty: str


class WalletFrozen(Event, frozen=True, gc=False):
    """The wallet neither pays nor is paid from now on."""


class WalletUnfrozen(Event, frozen=True, gc=False):
    """The wallet pays and is paid again."""


class WalletClosed(Event, frozen=True, gc=False):
    """The wallet, which held nothing, is closed for good."""


class UndecodableEvent(Exception):
    """The stored event is of no type or schema version that this program knows, or does not fit it."""


class Encoded(NamedTuple):
    """An event as it is stored."""

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
"""Every event type, with the version of the schema it is written in today."""


def _only_transfers(old: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 of a posting knew transfers only, so it named no kind."""
    return {**old, "kind": "transfer"}


_UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("BalanceDebited", 1): _only_transfers,
    ("BalanceCredited", 1): _only_transfers,
}
"""From a schema version to the next one."""

_TYPES = {event.__name__: event for event in SCHEMA_VERSIONS}
_DECODERS: dict[tuple[str, int], Decoder[Event]] = {
    (event.__name__, version): Decoder(event) for event, version in SCHEMA_VERSIONS.items()
}
_HEADERS = {event: (event.__name__, version) for event, version in SCHEMA_VERSIONS.items()}
_encode = Encoder().encode


def encode(event: Event) -> Encoded:
    """The event as it is stored, in today's schema."""
    name, version = _HEADERS[type(event)]
    return Encoded(name, version, _encode(event))


def decode(name: str, schema_version: int, data: bytes) -> Event:
    """The event that was stored, whatever schema it was written in. Raises UndecodableEvent."""
    decoder = _DECODERS.get((name, schema_version))
    try:
        return decoder.decode(data) if decoder else _upcast(name, schema_version, data)
    except (DecodeError, ValidationError, UnicodeDecodeError) as error:
        raise UndecodableEvent(f"{name} in schema {schema_version}: {error}") from error


def _upcast(name: str, schema_version: int, data: bytes) -> Event:
    event = _TYPES.get(name)
    if event is None or not 1 <= schema_version < SCHEMA_VERSIONS[event]:
        raise UndecodableEvent(f"{name} in schema {schema_version} is not known here")
    members = decode_json(data, type=dict[str, Any])
    for version in range(schema_version, SCHEMA_VERSIONS[event]):
        members = _UPCASTERS[name, version](members)
    return convert(members, event)
