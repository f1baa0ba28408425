"""The rows that the shard's writer keeps in memory, exactly as the database stores them.

This is correct while the writer's session lives, because no other session changes these rows. Another session may add
wallets (bulk loading), so the memory never holds that a row does not exist.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar
from uuid import UUID

from wallet_kernel.accounts import key_owner
from wallet_saga.domain.batch import UNDATED, Batch, BatchKeys, CreditRecord
from wallet_saga.domain.commands import TransferRecord, WalletState

WALLETS_MAX = 50_000
TRANSFERS_MAX = 10_000
CREDITS_MAX = 10_000
"""How many rows of a table remain in memory between two batches. They need 354, 844 (with a key) and 279 bytes each."""

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class RecentRows(Generic[Key, Row]):
    """Rows by key. `trim` forgets the rows that were loaded or changed the longest time ago."""

    def __init__(self, rows_max: int) -> None:
        self._rows: OrderedDict[Key, Row] = OrderedDict()
        self._rows_max = rows_max

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, keys: Iterable[Key]) -> list[Row]:
        """Returns the known rows among these."""
        return [row for key in keys if (row := self._rows.get(key)) is not None]

    def missing(self, keys: Iterable[Key]) -> set[Key]:
        """Returns the keys of the rows that are not known."""
        return {key for key in keys if key not in self._rows}

    def put(self, key: Key, row: Row) -> None:
        """Adds or replaces a row."""
        self._rows[key] = row
        self._rows.move_to_end(key)

    def trim(self) -> None:
        """Forgets the oldest rows above the limit."""
        while len(self._rows) > self._rows_max:
            self._rows.popitem(last=False)

    def clear(self) -> None:
        """Forgets all rows."""
        self._rows.clear()


class KnownRows:
    """The known wallets, transfers and credits of the shard."""

    def __init__(self) -> None:
        self._wallets: RecentRows[str, WalletState] = RecentRows(WALLETS_MAX)
        self._transfers: RecentRows[UUID, TransferRecord] = RecentRows(TRANSFERS_MAX)
        self._keys: RecentRows[tuple[str, str], TransferRecord] = RecentRows(TRANSFERS_MAX)
        self._credits: RecentRows[UUID, CreditRecord] = RecentRows(CREDITS_MAX)

    def missing(self, keys: BatchKeys, *, everything: bool) -> BatchKeys:
        """Returns the keys of the rows to load before the batch is decided.

        Without `everything`, the rows that the batch itself adds to the log and the barrier count as absent.
        """
        missing = BatchKeys(
            accounts=self._wallets.missing(keys.accounts), ended=self._transfers.missing(keys.ended)
        )
        if everything:
            missing.begun = self._transfers.missing(keys.begun)
            missing.idempotency = self._keys.missing(keys.idempotency)
            missing.credits = self._credits.missing(keys.credits)
        return missing

    def put(
        self,
        wallets: Iterable[WalletState],
        transfers: Iterable[TransferRecord],
        barrier: Iterable[CreditRecord],
    ) -> None:
        """Adds or replaces rows as the database stores them."""
        for wallet in wallets:
            self._wallets.put(wallet.account_id, wallet)
        for transfer in transfers:
            self._transfers.put(transfer.transaction_id, transfer)
            if transfer.key is not None:
                owner = key_owner(transfer.from_account, transfer.to_account)
                self._keys.put((owner, transfer.key), transfer)
        for credit in barrier:
            self._credits.put(credit.transaction_id, credit)

    def batch(self, keys: BatchKeys) -> Batch:
        """Returns a batch with the known rows among these."""
        return Batch.of(
            UNDATED,
            self._wallets.of(keys.accounts),
            self._transfers.of(keys.begun | keys.ended) + self._keys.of(keys.idempotency),
            self._credits.of(keys.credits),
        )

    def wallets(self, accounts: Iterable[str]) -> list[WalletState]:
        """Returns the known wallets of these accounts."""
        return self._wallets.of(accounts)

    def keep(self, batch: Batch) -> None:
        """Takes over the changes of a batch that the database has committed."""
        self.put(
            [wallet.state() for wallet in batch.wallets.values() if wallet.changed],
            [*batch.new_transfers.values(), *batch.ended_transfers.values()],
            batch.new_credits,
        )

    def trim(self) -> None:
        """Forgets the oldest rows above the limits. Call it between two batches, because a batch needs its own rows."""
        for rows in (self._wallets, self._transfers, self._keys, self._credits):
            rows.trim()

    def clear(self) -> None:
        """Forgets all rows."""
        for rows in (self._wallets, self._transfers, self._keys, self._credits):
            rows.clear()
