import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallet_cqrs.domain.wallet import Wallet, evolve, initial_state
from wallet_cqrs.events import (
    SCHEMA_VERSIONS,
    BalanceCredited,
    BalanceDebited,
    Event,
    UndecodableEvent,
    WalletClosed,
    WalletFrozen,
    WalletOpened,
    WalletUnfrozen,
    decode,
    encode,
)
from wallet_kernel.accounts import EXTERNAL

SAMPLE = Path(__file__).parent / "samples" / "events-schema-1.json"
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_events_of_older_schemas_can_be_decoded() -> None:
    """Samples of older schemas can still be decoded. Add samples, but never change one."""
    events = [
        decode(old["type"], old["schema_version"], old["data"].encode())
        for old in json.loads(SAMPLE.read_text())
    ]
    assert events == [
        WalletOpened("USD", 10_234_000),
        BalanceDebited(1_500_000, "transfer", "bob"),
        BalanceCredited(250_000, "transfer", "carol"),
        WalletFrozen(),
        WalletUnfrozen(),
        BalanceDebited(8_984_000, "withdrawal", EXTERNAL),
        WalletClosed(),
    ]
    wallet = initial_state("alice")
    for event in events:
        wallet = evolve(wallet, event, AT)
    assert wallet == Wallet("alice", "USD", "closed", 0, 7, AT)


@pytest.mark.parametrize(
    "event",
    [
        WalletOpened("USD", 1),
        BalanceDebited(2, "transfer", "bob"),
        BalanceCredited(3, "deposit", EXTERNAL),
        WalletFrozen(),
        WalletUnfrozen(),
        WalletClosed(),
    ],
)
def test_an_event_decodes_to_what_was_encoded(event: Event) -> None:
    """An encoded event has the current schema version and decodes to the same event."""
    assert decode(*encode(event)) == event
    assert encode(event).schema_version == SCHEMA_VERSIONS[type(event)]


@pytest.mark.parametrize(
    ("name", "schema_version", "data"),
    [
        ("WalletStolen", 1, b"{}"),
        ("WalletOpened", 2, b'{"currency":"USD","balance_micros":1}'),
        ("BalanceDebited", 0, b"{}"),
        ("BalanceDebited", 1, b"{}"),
        ("BalanceDebited", 1, b"[]"),
        ("BalanceDebited", 2, b'{"amount_micros":1,"counterparty":"bob"}'),
        ("BalanceDebited", 2, b'{"amount_micros":1.5,"kind":"transfer","counterparty":"bob"}'),
        ("WalletFrozen", 1, b"\xff"),
        ("BalanceDebited", 1, b"[" * 200_000),
        ("WalletFrozen", 1, b'{"more":' + b"[" * 200_000),
    ],
)
def test_damaged_and_unknown_events_are_undecodable(name: str, schema_version: int, data: bytes) -> None:
    """Unknown types, future schema versions and damaged data raise UndecodableEvent."""
    with pytest.raises(UndecodableEvent):
        decode(name, schema_version, data)
