"""Decides a batch of commands in order; each command sees the changes of those before it. Pure, no I/O.

The wallets are as of one position of the log. The event store appends the results only if the log is still at that
position, and returns the time. Until then, the changes and decisions of the batch have no time.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

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

UNDATED = datetime.min.replace(tzinfo=UTC)
"""The time of everything that a batch changes or decides, before `Batch.date` sets the time of its append."""


class NewEvent(Struct, frozen=True, gc=False):
    """An encoded event that gets the next position. `not_before` is the time of the wallet's last earlier event."""

    stream_id: str
    version: int
    type: str
    schema_version: int
    transaction_id: UUID | None
    data: bytes
    not_before: datetime


class Batch:
    """Collects the results of a batch: `outcomes`, `events` and `decisions` to append, and `changed` wallets.

    `wallets` has the state at the position `head` of every wallet in the batch; it is not modified. `known` has earlier
    decisions. Every `snapshot_every`th version of a wallet is added to `snapshots`.
    """

    def __init__(
        self, wallets: Mapping[str, Wallet], head: int, known: Iterable[Decided], snapshot_every: int
    ) -> None:
        self._wallets = wallets
        self._snapshot_every = snapshot_every
        self._known: dict[UUID, Decided] = {}
        self._keys: dict[tuple[str, str], Decided] = {}
        self.head = self.position = head
        self.events: list[NewEvent] = []
        self.decisions: list[Decided] = []
        self.outcomes: list[Outcome] = []
        self.changed: dict[str, Wallet] = {}
        self.snapshots: list[Wallet] = []
        for decided in known:
            self._remember(decided)

    def decide(self, item: Submission | StatusCommand) -> Outcome:
        """Decides the next command, and returns its outcome."""
        outcome: Outcome
        if isinstance(item, Submission):
            outcome = self._earlier_decision(item) or self._decide_money(item)
        else:
            outcome = self._decide_status(item)
        self.outcomes.append(outcome)
        return outcome

    def date(self, now: datetime) -> None:
        """Sets the time of the batch's changes and decisions, after the event store appended them at `now`."""
        self.changed = {account_id: self._dated(wallet, now) for account_id, wallet in self.changed.items()}
        self.snapshots = [self._dated(wallet, now) for wallet in self.snapshots]
        self.outcomes = [self._dated_outcome(outcome, now) for outcome in self.outcomes]

    def _dated_outcome(self, outcome: Outcome, now: datetime) -> Outcome:
        if isinstance(outcome, Decided) and outcome.at is UNDATED:
            return replace(outcome, at=now)
        if isinstance(outcome, StatusChanged):
            return replace(outcome, wallet=self._dated(outcome.wallet, now))
        return outcome

    def _dated(self, wallet: Wallet, now: datetime) -> Wallet:
        if wallet.updated_at is not UNDATED:  # this batch did not change the wallet
            return wallet
        # The clock may be set back, but the times of a wallet's events must not decrease.
        return replace(wallet, updated_at=max(now, self._wallets[wallet.account_id].updated_at))

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

    def _decide_status(self, command: StatusCommand) -> StatusChanged | Refused:
        decision = decide(self._find, command)
        if isinstance(decision, Refused):
            return decision
        self._append(decision, None)
        return StatusChanged(self._find(command.account_id), self.position)

    def _append(self, decision: tuple[Happened, ...], transaction_id: UUID | None) -> None:
        for account_id, event in decision:
            wallet = evolve(self._find(account_id), event, UNDATED)
            name, schema, data = encode(event)
            not_before = self._wallets[account_id].updated_at
            self.events.append(
                NewEvent(account_id, wallet.version, name, schema, transaction_id, data, not_before)
            )
            self.position += 1
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
            at=UNDATED,
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
