"""Opens hundreds of thousands of wallets directly in the databases of a running stack."""

from collections.abc import Sequence

from wallet_lab.architectures.cqrs.seeding import seed_cqrs
from wallet_lab.architectures.saga.seeding import seed_saga
from wallet_lab.stack.running import RunningStack

CURRENCY = "USD"


async def seed(stack: RunningStack, accounts: Sequence[str], balance_micros: int) -> None:
    """Open the wallets that do not exist yet; noop has none.

    Seeding holds the writers' locks, so writes wait. In cqrs the read model catches up by itself (`settled`).
    """
    if stack.architecture == "saga":
        await seed_saga(stack.database_urls, accounts, balance_micros, CURRENCY)
    elif stack.architecture == "cqrs":
        await seed_cqrs(stack.event_store_url, accounts, balance_micros, CURRENCY)
