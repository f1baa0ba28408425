"""What clients get: the documents of the contract, built from values the use cases return.

The two hot ones (an accepted transfer, a balance) are put together from text that needs no escaping; the others
are encoded from structs. Amounts are written as exact JSON numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import encode

from wallet_kernel.http import Answer, Headers
from wallet_kernel.money import format_micros

TransferStatus = Literal["pending", "success", "refused"]

REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)
"""The header of an answer that an earlier request with the same Idempotency-Key was given."""


@dataclass(frozen=True, slots=True)
class WalletView:
    """A wallet as a client sees it; `updated_at` is the database's time of its last change."""

    account_id: str
    currency: str
    balance_micros: int
    version: int
    status: str
    updated_at: datetime


class TimelineEntry(Struct, omit_defaults=True):
    """One step (saga) or event (cqrs) of a transfer; `at` is the database's time."""

    step: str
    at: str
    reason: str | UnsetType = UNSET


class TransferView(Struct, omit_defaults=True):
    """The document of GET /transfers/{transactionId}."""

    transactionId: UUID
    status: TransferStatus
    fromAccount: str
    toAccount: str
    amount: Raw
    currency: str
    timeline: list[TimelineEntry]
    reason: str | UnsetType = UNSET


class StatementItem(Struct):
    """One posting: `amount` is signed, `balance` and `version` are the wallet's after it."""

    transactionId: UUID
    kind: str
    amount: Raw
    balance: Raw
    version: int
    counterparty: str
    at: str


class _Statement(Struct):
    items: Sequence[StatementItem]
    nextCursor: str | None


def money(micros: int) -> Raw:
    """Micros as the exact JSON number of a document."""
    return Raw(format_micros(micros).encode())


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as every document gives times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def transfer_succeeded(transaction_id: UUID, *, replayed: bool) -> Answer:
    """201: both sides are durable; a deposit or withdrawal answers the same."""
    return Answer(
        201, b'{"status":"success","transactionId":"%s"}' % _ascii(transaction_id), _replay(replayed=replayed)
    )


def transfer_pending(transaction_id: UUID, *, replayed: bool) -> Answer:
    """202: the payer's side is durable, the rest will be decided; Location tells where to look."""
    location = (b"location", b"/transfers/%s" % _ascii(transaction_id))
    body = b'{"status":"pending","transactionId":"%s"}' % _ascii(transaction_id)
    return Answer(202, body, (location, *_replay(replayed=replayed)))


def wallet_opened(transaction_id: UUID, wallet: WalletView, *, replayed: bool) -> Answer:
    """201: the wallet exists."""
    body = b'{"transactionId":"%s",%s' % (_ascii(transaction_id), wallet_body(wallet)[1:])
    return Answer(201, body, _replay(replayed=replayed))


def wallet_answer(wallet: WalletView) -> Answer:
    """200: the wallet as it is."""
    return Answer(200, wallet_body(wallet))


def wallet_body(wallet: WalletView) -> bytes:
    """The wallet document. Account names and currencies need no escaping: their patterns admit no such character."""
    return (
        f'{{"accountId":"{wallet.account_id}","currency":"{wallet.currency}",'
        f'"balance":{format_micros(wallet.balance_micros)},"version":{wallet.version},"status":"{wallet.status}",'
        f'"lastUpdated":"{timestamp(wallet.updated_at)}"}}'
    ).encode()


def transfer_document(view: TransferView) -> Answer:
    """200: a transfer and the timeline of what happened to it."""
    return Answer(200, encode(view))


def statement_page(items: Sequence[StatementItem], *, more: bool) -> Answer:
    """200: a page of a statement, newest first; `more` says that older postings follow."""
    cursor = f"v{items[-1].version}" if more else None
    return Answer(200, encode(_Statement(items, cursor)))


def _ascii(transaction_id: UUID) -> bytes:
    return str(transaction_id).encode()


def _replay(*, replayed: bool) -> Headers:
    return REPLAYED if replayed else ()
