"""A batch with the rows of two shards, and the part of it that one shard writes. Pure."""

from collections.abc import Container

from wallet_baselines.batch import Batch


def joined(first: Batch, second: Batch) -> Batch:
    """Returns the loaded rows of two shards as one batch without changes. Its time is the later one."""
    return Batch(
        max(first.now, second.now), first.wallets | second.wallets, first.transfers | second.transfers
    )


def share(batch: Batch, accounts: Container[str]) -> Batch:
    """Returns the changes of these wallets without the decided transfers: the part that one shard writes."""
    changed = {name: wallet for name, wallet in batch.changed.items() if name in accounts}
    entries = [entry for entry in batch.entries if entry.account_id in accounts]
    return Batch(batch.now, {}, {}, changed=changed, entries=entries)
