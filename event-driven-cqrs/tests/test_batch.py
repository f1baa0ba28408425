"""The decisions of a batch, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from cqrs_support.replicas import transfer

from wallet_cqrs.domain.batch import UNDATED, Batch
from wallet_cqrs.domain.commands import FreezeWallet, UnfreezeWallet
from wallet_cqrs.domain.submissions import Decided, KeyReused, StatusChanged
from wallet_cqrs.domain.wallet import Wallet
from wallet_kernel.refusals import Refusal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WALLETS = {
    "alice": Wallet("alice", "USD", "active", 100, 7, NOW),
    "bob": Wallet("bob", "USD", "active", 0, 1, NOW),
}


def batch(*known: Decided, snapshot_every: int = 500) -> Batch:
    """A batch after position 40."""
    return Batch(WALLETS, 40, known, snapshot_every)


def test_repeated_key_in_a_batch_gets_the_first_decision() -> None:
    """A repeated key returns the first decision and appends nothing. With another body, it is refused."""
    one = batch()
    first = one.decide(transfer("alice", "bob", 60, "k"))
    assert one.decide(transfer("alice", "bob", 60, "k")) is first
    assert one.decide(transfer("alice", "bob", 61, "k")) == KeyReused()
    assert len(one.decisions) == 1
    assert (len(one.events), one.head, one.position) == (2, 40, 42)


def test_decision_sees_earlier_ones_of_its_batch() -> None:
    """A command cannot spend money that an earlier one has spent; versions and positions are consecutive."""
    one = batch()
    one.decide(transfer("alice", "bob", 60))
    refused = one.decide(transfer("alice", "bob", 60))
    one.decide(transfer("bob", "alice", 60))
    assert isinstance(refused, Decided)
    assert (refused.reason, refused.last_position) == (Refusal.INSUFFICIENT_FUNDS, 42)
    assert [(event.stream_id, event.version) for event in one.events] == [
        ("alice", 8),
        ("bob", 2),
        ("bob", 3),
        ("alice", 9),
    ]
    assert WALLETS["alice"].balance_micros == 100


def test_every_snapshot_version_of_a_batch_is_kept() -> None:
    """A batch that passes several snapshot versions of a wallet writes each snapshot."""
    one = batch(snapshot_every=2)
    for _ in range(4):
        one.decide(transfer("alice", "bob", 1))
    assert [(w.account_id, w.version, w.balance_micros) for w in one.snapshots] == [
        ("alice", 8, 99),
        ("bob", 2, 1),
        ("alice", 10, 97),
        ("bob", 4, 3),
    ]


LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


@pytest.mark.parametrize(("now", "expected"), [(LATER, LATER), (EARLIER, NOW)])
def test_changes_get_the_time_of_the_append(now: datetime, expected: datetime) -> None:
    """Decisions get the time of the append. Changed wallets get it, too, unless their last event was later."""
    one = batch(snapshot_every=1)
    one.decide(transfer("alice", "bob", 60, "k"))
    one.decide(FreezeWallet("bob"))
    one.decide(transfer("alice", "bob", 60, "k"))
    assert [event.not_before for event in one.events] == [NOW] * 3
    one.date(now)
    paid, frozen, again = one.outcomes
    assert isinstance(paid, Decided)
    assert isinstance(frozen, StatusChanged)
    assert (paid.at, again) == (now, paid)
    assert frozen.wallet.updated_at == expected
    assert {wallet.updated_at for wallet in [*one.changed.values(), *one.snapshots]} == {expected}


def test_earlier_decisions_and_unchanged_wallets_keep_their_time() -> None:
    """A batch that repeats a decision, or changes no status, leaves their times as they were."""
    first = batch()
    first.decide(paid := transfer("alice", "bob", 60, "k"))
    first.date(NOW)
    [known] = first.outcomes
    assert isinstance(known, Decided)
    second = batch(known)
    second.decide(paid)
    second.decide(UnfreezeWallet("alice"))
    second.date(LATER)
    assert second.outcomes == [known, StatusChanged(WALLETS["alice"], 40)]
    assert known.at is not UNDATED
    assert not second.events
