from uuid import uuid4

from cqrs_support.histories import RandomLog

from wallet_cqrs.balance_cache import entry_of
from wallet_cqrs.domain.commands import OpenWallet
from wallet_cqrs.read_model import Checkpoint


def test_same_wallet_in_another_epoch_replaces_nothing() -> None:
    """After a restart without loss, streams do not show a wallet again that has not changed."""
    written = RandomLog()
    written.do(OpenWallet("alice", 5, "USD"))
    shown = entry_of(written.wallet("alice"), Checkpoint(1, uuid4()))
    assert not entry_of(written.wallet("alice"), Checkpoint(2, uuid4())).replaces(shown)
