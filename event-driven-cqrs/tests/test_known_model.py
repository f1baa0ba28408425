"""The projection's memory of its read model: bounded, and never of two states."""

from datetime import UTC, datetime

from wallet_cqrs.domain.wallet import Wallet
from wallet_cqrs.projection.known_model import KnownModel, ModelState
from wallet_cqrs.read_model import Checkpoint

AT = datetime(2026, 1, 1, tzinfo=UTC)


def state(position: int, table: int = 1) -> ModelState:
    """Returns a state at this position."""
    return ModelState(Checkpoint(position), table)


def wallet(name: str) -> Wallet:
    """Returns a wallet."""
    return Wallet(name, "USD", "active", 5, 1, AT)


def test_part_has_the_kept_wallets_at_the_last_state() -> None:
    """The memory returns the wallets that it kept, as of the state after the last write."""
    model = KnownModel(10)
    assert model.part([]) is None
    model.keep(state(1), state(2), [wallet("a"), wallet("b")])
    part = model.part(["b"])
    assert part is not None
    assert (part.state, part.stopped, part.wallets) == (state(2), None, [wallet("b")])
    assert model.part(["a", "c"]) is None


def test_wallets_stay_while_every_state_follows_the_last() -> None:
    """A write that follows the last known state keeps the other wallets in memory."""
    model = KnownModel(10)
    model.keep(state(1), state(2), [wallet("a")])
    model.keep(state(2), state(3), [wallet("b")])
    assert model.part(["a", "b"]) is not None


def test_wallets_of_another_state_are_dropped() -> None:
    """If another process changed the model, or a rebuild replaced it, wallets of the former state are dropped."""
    for other in (state(7), state(2, table=2)):
        model = KnownModel(10)
        model.keep(state(1), state(2), [wallet("a")])
        model.keep(other, other, [wallet("b")])
        assert model.part(["a"]) is None
        assert model.part(["b"]) is not None


def test_wallets_used_longest_ago_are_evicted() -> None:
    """Above its bound, the memory drops the wallets that were used longest ago."""
    model = KnownModel(2)
    model.keep(state(1), state(2), [wallet("a"), wallet("b")])
    model.keep(state(2), state(3), [wallet("a"), wallet("c")])
    assert model.part(["b"]) is None
    assert model.part(["a", "c"]) is not None


def test_cleared_memory_returns_nothing() -> None:
    """After it is cleared, the memory has neither a state nor wallets."""
    model = KnownModel(2)
    model.keep(state(1), state(2), [wallet("a")])
    model.clear()
    assert model.part([]) is None
