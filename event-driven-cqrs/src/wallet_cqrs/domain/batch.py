"""Decides a batch of commands in order; each command sees the changes of those before it. Pure, no I/O.

The store locks the log and provides its head and the time. This module decides the commands. The store then appends
their events and decisions in the same transaction.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from wallet_cqrs.domain.decisions import Happened, Refused, decide
from wallet_cqrs.domain.submissions import (
    Decided,
    KeyReused,
    Movement,
    Outcome,
    StatusChanged,
    StatusCommand,
    Submission,
    movement,
    owner_of,
)
from wallet_cqrs.domain.wallet import Wallet, evolve
from wallet_cqrs.events import encode
from wallet_kernel.accounts import key_owner

EventRow = tuple[int, str, int, str, int, UUID | None, bytes, datetime]
"""position, stream_id, version, type, schema_version, transaction_id, data, at"""


class Batch:
    """Collects what a batch appends: `rows` from the position after `head`, `decisions`, and `changed` wallets.

    `wallets` has the state at `head` of every wallet in the batch; it is not modified. `now` is the database's time,
    read under the lock. Every `snapshot_every`th version of a wallet is added to `snapshots`.
    """

    def __init__(
        self,
        wallets: Mapping[str, Wallet],
        head: int,
        now: datetime,
        known: Iterable[Decided],
        snapshot_every: int,
    ) -> None:
        self._wallets = wallets
        self._now = now
        self._snapshot_every = snapshot_every
        self._known: dict[UUID, Decided] = {}
        self._keys: dict[tuple[str, str], Decided] = {}
        self.position = head
        self.rows: list[EventRow] = []
        self.decisions: list[Decided] = []
        self.changed: dict[str, Wallet] = {}
        self.snapshots: list[Wallet] = []
        for decided in known:
            self._remember(decided)

    def decide(self, item: Submission | StatusCommand) -> Outcome:
        """Decides the next command, and returns its outcome."""
        if isinstance(item, Submission):
            return self._earlier_decision(item) or self._decide_money(item)
        decision = decide(self._find, item)
        if isinstance(decision, Refused):
            return decision
        self._append(decision, None)
        return StatusChanged(self._find(item.account_id), self.position)

    def _earlier_decision(self, item: Submission) -> Decided | KeyReused | None:
        """Returns the earlier decision for this transaction id or idempotency key, or KeyReused, or None."""
        first = self._known.get(item.transaction_id)
        if first is not None or item.key is None:
            return first
        first = self._keys.get((owner_of(item.command), item.key))
        if first is not None and first.fingerprint != item.fingerprint:
            return KeyReused()
        return first

    def _decide_money(self, item: Submission) -> Decided:
        decision = decide(self._find, item.command)
        if isinstance(decision, Refused):
            return self._record(item, movement(item.command), decision, None)
        first_position = self.position + 1
        self._append(decision, item.transaction_id)
        return self._record(item, movement(item.command), None, first_position)

    def _append(self, decision: tuple[Happened, ...], transaction_id: UUID | None) -> None:
        for account_id, event in decision:
            before = self._find(account_id)
            # The clock may be set back, but the times of a wallet's events must not decrease.
            wallet = evolve(before, event, max(self._now, before.updated_at))
            self.position += 1
            name, schema, data = encode(event)
            self.rows.append(
                (
                    self.position,
                    account_id,
                    wallet.version,
                    name,
                    schema,
                    transaction_id,
                    data,
                    wallet.updated_at,
                )
            )
            self.changed[account_id] = wallet
            if wallet.version % self._snapshot_every == 0:
                self.snapshots.append(wallet)

    def _record(
        self, item: Submission, asked: Movement, refused: Refused | None, first_position: int | None
    ) -> Decided:
        decided = Decided(
            transaction_id=item.transaction_id,
            kind=asked.kind,
            from_account=asked.from_account,
            to_account=asked.to_account,
            amount_micros=asked.amount_micros,
            currency=item.command.currency,
            reason=refused.reason if refused else None,
            refused_by=refused.account_id if refused else None,
            first_position=first_position,
            last_position=self.position,
            key=item.key,
            fingerprint=item.fingerprint,
            at=self._now,
        )
        self.decisions.append(decided)
        self._remember(decided)
        return decided

    def _remember(self, decided: Decided) -> None:
        self._known[decided.transaction_id] = decided
        if decided.key is not None:
            self._keys[key_owner(decided.from_account, decided.to_account), decided.key] = decided

    def _find(self, account_id: str) -> Wallet:
        return self.changed.get(account_id) or self._wallets[account_id]
