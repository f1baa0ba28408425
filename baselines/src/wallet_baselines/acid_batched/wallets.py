"""Commands that arrive while a transaction is under way share the next one (group commit)."""

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.records import MoveMoney, Outcome
from wallet_baselines.settings import AcidBatchedSettings
from wallet_kernel.batcher import PAUSE_MAX_S, Batcher
from wallet_kernel.database import CommitUnknown
from wallet_kernel.topology import Placement


class BatchedWallets(AcidWallets):
    """The use cases of acid, but with one transaction per batch of commands."""

    def __init__(self, url: str, placement: Placement, settings: AcidBatchedSettings) -> None:
        super().__init__(url, placement, settings)
        self._batcher: Batcher[MoveMoney, Outcome] = Batcher(
            "commands",
            self.move_all,
            batch_max=settings.batch_max,
            queue_max=settings.queue_max,
            pause_max_s=PAUSE_MAX_S,
        )

    async def __aexit__(self, *error: object) -> None:
        await self._batcher.drain()
        await super().__aexit__(*error)

    async def move(self, command: MoveMoney) -> Outcome:
        """Carries out a command in the next batch. Raises QueueFull if too many commands wait."""
        moving = self._batcher.submit(command)
        try:
            async with self._deadlines.begin():
                return await moving
        except TimeoutError as error:
            if moving.is_taken:  # the batch continues without this caller
                raise CommitUnknown(repr(error)) from error
            raise
