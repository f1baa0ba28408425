"""What a shard's worker tells of its books and its unfinished sagas while it runs, as metrics."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from prometheus_client import Gauge

from wallet_kernel.runtime.books_watch import Totals, books_watched
from wallet_saga.worker.store import Store

UNFINISHED = Gauge("wallet_sagas_unfinished", "Sagas of this shard's payers that have not ended.")
ABANDONED = Gauge("wallet_sagas_abandoned", "Unfinished sagas whose lease has run out; recovery claims them.")
OLDEST = Gauge("wallet_saga_oldest_seconds", "Age of the oldest unfinished saga.")


def shard_watched(shard: int, store: Store, interval_s: float) -> AbstractAsyncContextManager[None]:
    """Inside, the shard is looked at every `interval_s` seconds."""

    async def look() -> Sequence[Totals]:
        unfinished = await store.unfinished()
        UNFINISHED.set(unfinished.sagas)
        ABANDONED.set(unfinished.abandoned)
        OLDEST.set(unfinished.oldest_s)
        return await store.totals()

    return books_watched(shard, look, interval_s)
