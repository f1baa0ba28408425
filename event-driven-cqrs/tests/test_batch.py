"""The decisions of a batch, without a database."""

from datetime import UTC, datetime

from cqrs_support.replicas import transfer

from wallet_cqrs.domain.batch import Batch
from wallet_cqrs.domain.submissions import Decided, KeyReused
from wallet_cqrs.domain.wallet import Wallet
from wallet_kernel.refusals import Refusal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WALLETS = {
    "alice": Wallet("alice", "USD", "active", 100, 7, NOW),
    "bob": Wallet("bob", "USD", "active", 0, 1, NOW),
}


def batch(*known: Decided, snapshot_every: int = 500) -> Batch:
    """A batch after position 40."""
    return Batch(WALLETS, 40, NOW, known, snapshot_every)


def test_a_key_finds_the_decision_before_it_in_the_batch() -> None:
    """A repeated key returns the first decision and appends nothing. With another body, it is refused."""
    one = batch()
    first = one.decide(transfer("alice", "bob", 60, "k"))
    assert one.decide(transfer("alice", "bob", 60, "k")) is first
    assert one.decide(transfer("alice", "bob", 61, "k")) == KeyReused()
    assert len(one.decisions) == 1
    assert [row[0] for row in one.rows] == [41, 42]


def test_each_decision_sees_the_ones_before() -> None:
    """A command cannot spend money that an earlier one has spent; versions and positions are consecutive."""
    one = batch()
    one.decide(transfer("alice", "bob", 60))
    refused = one.decide(transfer("alice", "bob", 60))
    one.decide(transfer("bob", "alice", 60))
    assert isinstance(refused, Decided)
    assert (refused.reason, refused.last_position) == (Refusal.INSUFFICIENT_FUNDS, 42)
    assert [row[:3] for row in one.rows] == [
        (41, "alice", 8),
        (42, "bob", 2),
        (43, "bob", 3),
        (44, "alice", 9),
    ]
    assert WALLETS["alice"].balance_micros == 100


def test_snapshots_are_of_exact_versions() -> None:
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
