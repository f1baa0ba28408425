"""Wallets by the hundred thousand, straight into the databases of a running stack, as if clients had opened them."""

from collections.abc import Sequence

from wallet_lab.bench.seeding.cqrs import seed_cqrs
from wallet_lab.bench.seeding.saga import seed_saga
from wallet_lab.running.stack import RunningStack

CURRENCY = "USD"


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int) -> None:
    """Opens those of the wallets that are not there yet; noop has none.

    It holds the writers' locks, so writes wait for it; in cqrs the read model follows on its own (`settled`).
    """
    if stack.architecture == "saga":
        await seed_saga(stack.database_urls, accounts, balance_micros, CURRENCY)
    elif stack.architecture == "cqrs":
        await seed_cqrs(stack.event_store_url, accounts, balance_micros, CURRENCY)
