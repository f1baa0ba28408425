"""Checks a shard continuously and publishes metrics: whether its books balance, and its unfinished sagas."""

from contextlib import AbstractAsyncContextManager

from prometheus_client import Gauge

from wallet_kernel.runtime.ledger_metrics import ledger_watched
from wallet_saga.worker.store import Store

UNFINISHED = Gauge("wallet_sagas_unfinished", "Sagas of this shard's payers that have not ended.")
ABANDONED = Gauge("wallet_sagas_abandoned", "Unfinished sagas whose lease has run out; recovery claims them.")
OLDEST = Gauge("wallet_saga_oldest_seconds", "Age of the oldest unfinished saga.")


def shard_watched(shard: int, store: Store, interval_s: float) -> AbstractAsyncContextManager[None]:
    """Checks the shard every `interval_s` seconds while the body of the `async with` runs."""

    async def count_unfinished_sagas() -> None:
        unfinished = await store.unfinished()
        UNFINISHED.set(unfinished.sagas)
        ABANDONED.set(unfinished.abandoned)
        OLDEST.set(unfinished.oldest_s)

    return ledger_watched(shard, store, interval_s, count_unfinished_sagas)
