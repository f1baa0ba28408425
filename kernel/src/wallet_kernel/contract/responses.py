"""The contract's response documents, built from values that the use cases return.

The two most frequent ones (an accepted transfer, a balance) are formatted as text, because their values need no
escaping. The others are encoded from structs. Amounts are exact JSON numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import encode

from wallet_kernel.http import Headers, Response
from wallet_kernel.money import format_micros

TransferStatus = Literal["pending", "success", "refused"]

REPLAYED: Headers = ((b"idempotent-replayed", b"true"),)
"""The header of a response that repeats the response to an earlier request with the same Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class WalletView:
    """A wallet as a client sees it. `updated_at` is the database's time of its last change."""

    account_id: str
    currency: str
    balance_micros: int
    version: int
    status: str
    updated_at: datetime


class TimelineEntry(Struct, omit_defaults=True):
    """One step (saga) or event (cqrs) of a transfer. `at` is the database's time."""

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
    """One posting. `amount` is signed; `balance` and `version` are the wallet's after the posting."""

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
    """Returns micros as an exact JSON number."""
    return Raw(format_micros(micros).encode())


def timestamp(moment: datetime) -> str:
    """Returns RFC 3339 in UTC with microseconds, the time format of every document."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def transfer_succeeded(transaction_id: UUID, *, replayed: bool) -> Response:
    """Returns 201: both sides are durable. Deposits and withdrawals use the same response."""
    return Response(
        201, b'{"status":"success","transactionId":"%s"}' % _ascii(transaction_id), _replay(replayed=replayed)
    )


def transfer_pending(transaction_id: UUID, *, replayed: bool) -> Response:
    """Returns 202: the payer's side is durable, the payee's side is undecided. Location is the URL of the outcome."""
    location = (b"location", b"/transfers/%s" % _ascii(transaction_id))
    body = b'{"status":"pending","transactionId":"%s"}' % _ascii(transaction_id)
    return Response(202, body, (location, *_replay(replayed=replayed)))


def wallet_opened(transaction_id: UUID, wallet: WalletView, *, replayed: bool) -> Response:
    """Returns 201: the wallet exists."""
    body = b'{"transactionId":"%s",%s' % (_ascii(transaction_id), wallet_body(wallet)[1:])
    return Response(201, body, _replay(replayed=replayed))


def wallet_response(wallet: WalletView) -> Response:
    """Returns 200 with the wallet."""
    return Response(200, wallet_body(wallet))


def wallet_body(wallet: WalletView) -> bytes:
    """Returns the wallet document. The patterns of account names and currencies exclude all escaped characters."""
    return (
        f'{{"accountId":"{wallet.account_id}","currency":"{wallet.currency}",'
        f'"balance":{format_micros(wallet.balance_micros)},"version":{wallet.version},"status":"{wallet.status}",'
        f'"lastUpdated":"{timestamp(wallet.updated_at)}"}}'
    ).encode()


def at_position(response: Response, position: int) -> Response:
    """Returns the same document with the `position` of the log that it reflects (cqrs)."""
    return Response(response.status, b'%s,"position":%d}' % (response.body[:-1], position), response.headers)


def transfer_document(view: TransferView) -> Response:
    """Returns 200 with a transfer and its timeline."""
    return Response(200, encode(view))


def statement_page(items: Sequence[StatementItem], *, more: bool) -> Response:
    """Returns 200 with a page of a statement, newest first. `more` means that older postings follow."""
    cursor = f"v{items[-1].version}" if more else None
    return Response(200, encode(_Statement(items, cursor)))


def _ascii(transaction_id: UUID) -> bytes:
    return str(transaction_id).encode()


def _replay(*, replayed: bool) -> Headers:
    return REPLAYED if replayed else ()
