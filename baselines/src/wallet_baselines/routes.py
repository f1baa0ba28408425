"""The public routes: each handler parses the request, calls the use case, and builds the response."""

import logging
from uuid import UUID

from wallet_baselines.records import Entry, MoveMoney, Outcome, Status, Transfer, TransferKind
from wallet_baselines.wallets import NothingDone, Wallets
from wallet_kernel.accounts import EXTERNAL, key_owner
from wallet_kernel.batcher import QueueFull
from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem, invalid_request, problem_uri, refused
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import (
    REPLAYED,
    StatementItem,
    TimelineEntry,
    TransferView,
    WalletView,
    money,
    statement_page,
    timestamp,
    transfer_document,
    transfer_pending,
    transfer_succeeded,
    wallet_opened,
    wallet_response,
)
from wallet_kernel.database import DATABASE_ERRORS, CommitUnknown
from wallet_kernel.http import Handler, Request, Response
from wallet_kernel.idempotency import fingerprint
from wallet_kernel.ids import new_transaction_id
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import count_transfers

_log = logging.getLogger(__name__)


class PublicRoutes:
    """The handlers of the contract's operations."""

    def __init__(self, requests: Requests, wallets: Wallets) -> None:
        self._requests = requests
        self._wallets = wallets

    def handlers(self) -> dict[str, Handler]:
        """Returns the handlers by operation id."""
        return {
            "transfer": count_transfers(_map_errors(self.transfer)),
            "balance": _map_errors(self.balance),
            "openWallet": _map_errors(self.open_wallet),
            "deposit": _map_errors(self.deposit),
            "withdraw": _map_errors(self.withdraw),
            "statement": _map_errors(self.statement),
            "changeStatus": _map_errors(self.change_status),
            "closeWallet": _map_errors(self.close_wallet),
            "lookUpTransfer": _map_errors(self.look_up_transfer),
        }

    async def transfer(self, request: Request) -> Response:
        """POST /wallets/balanceTransfer."""
        order = self._requests.transfer(request)
        return await self._move(
            request, "transfer", order.from_account, order.to_account, order.amount_micros, order.currency
        )

    async def open_wallet(self, request: Request) -> Response:
        """POST /wallets."""
        order = self._requests.wallet(request)
        return await self._move(
            request, "opening", EXTERNAL, order.account_id, order.balance_micros, order.currency
        )

    async def deposit(self, request: Request) -> Response:
        """POST /wallets/{accountId}/deposits."""
        order = self._requests.cash(request)
        return await self._move(
            request, "deposit", EXTERNAL, order.account_id, order.amount_micros, order.currency
        )

    async def withdraw(self, request: Request) -> Response:
        """POST /wallets/{accountId}/withdrawals."""
        order = self._requests.cash(request)
        return await self._move(
            request, "withdrawal", order.account_id, EXTERNAL, order.amount_micros, order.currency
        )

    async def change_status(self, request: Request) -> Response:
        """PUT /wallets/{accountId}."""
        account_id = requests.path_account(request)
        status: Status = "frozen" if requests.frozen(request) else "active"
        return _wallet_response(account_id, await self._wallets.set_status(account_id, status))

    async def close_wallet(self, request: Request) -> Response:
        """DELETE /wallets/{accountId}."""
        account_id = requests.path_account(request)
        return _wallet_response(account_id, await self._wallets.set_status(account_id, "closed"))

    async def balance(self, request: Request) -> Response:
        """GET /wallets/{accountId}/balance."""
        account_id, currency = requests.path_account(request), self._requests.query_currency(request)
        if at := requests.moment(request):
            now, wallet = await self._wallets.balance_at(account_id, at)
            if at > now:
                raise invalid_request("at is in the future.")
        else:
            wallet = await self._wallets.balance(account_id)
        if wallet and currency not in (None, wallet.currency):
            raise refused(Refusal.CURRENCY_MISMATCH, account_id)
        return _wallet_response(account_id, wallet or Refusal.WALLET_NOT_FOUND)

    async def statement(self, request: Request) -> Response:
        """GET /wallets/{accountId}/transactions."""
        page = requests.statement(request)
        entries = await self._wallets.statement(page.account_id, page.limit + 1, page.before_version)
        if not entries and not await self._wallets.balance(page.account_id):
            raise refused(Refusal.WALLET_NOT_FOUND, page.account_id)
        return statement_page(list(map(_item, entries[: page.limit])), more=len(entries) > page.limit)

    async def look_up_transfer(self, request: Request) -> Response:
        """GET /transfers/{transactionId}."""
        outcome = await self._wallets.transfer(requests.transaction_id(request))
        if outcome is None:
            raise Problem("transfer-not-found", "No transfer has this id.")
        return transfer_document(_view(outcome))

    async def _move(
        self, request: Request, kind: TransferKind, payer: str, payee: str, amount_micros: int, currency: str
    ) -> Response:
        key, owner = requests.idempotency_key(request), key_owner(payer, payee)
        receiver = (payee,) if kind == "transfer" else ()
        meaning = fingerprint(key, kind, *receiver, amount_micros, currency)
        transaction_id = new_transaction_id(owner)
        command = MoveMoney(transaction_id, kind, payer, payee, amount_micros, currency, key, meaning)
        try:
            return _moved(command, await self._wallets.move(command))
        except CommitUnknown as error:
            raise _outcome_unknown(command.transaction_id) from error


def _moved(command: MoveMoney, outcome: Outcome) -> Response:
    transfer = outcome.transfer
    if command.key and transfer.fingerprint != command.fingerprint:
        raise refused(Refusal.KEY_REUSED, command.owner)
    replayed = transfer.transaction_id != command.transaction_id
    if transfer.reason and transfer.refused_by:
        problem = refused(transfer.reason, transfer.refused_by, transfer.transaction_id)
        problem.headers = REPLAYED if replayed else ()
        raise problem
    if outcome.pending:
        return transfer_pending(transfer.transaction_id, replayed=replayed)
    if transfer.kind == "opening":
        return wallet_opened(transfer.transaction_id, _as_opened(transfer), replayed=replayed)
    return transfer_succeeded(transfer.transaction_id, replayed=replayed)


def _as_opened(opening: Transfer) -> WalletView:
    return WalletView(opening.to_account, opening.currency, opening.amount_micros, 1, "active", opening.at)


def _wallet_response(account_id: str, outcome: WalletView | Refusal) -> Response:
    if isinstance(outcome, Refusal):
        raise refused(outcome, account_id)
    return wallet_response(outcome)


def _item(entry: Entry) -> StatementItem:
    assert entry.transaction_id is not None, "statements hold postings only"
    assert entry.counterparty is not None, "every posting has another side"
    return StatementItem(
        entry.transaction_id,
        entry.kind,
        money(entry.amount_micros),
        money(entry.balance_micros),
        entry.version,
        entry.counterparty,
        timestamp(entry.at),
    )


def _view(outcome: Outcome) -> TransferView:
    transfer, at = outcome.transfer, timestamp(outcome.transfer.at)
    reason = {"reason": problem_uri(transfer.reason)} if transfer.reason else {}
    step = f"{transfer.kind} refused" if transfer.reason else transfer.kind
    return TransferView(
        transfer.transaction_id,
        "refused" if transfer.reason else "pending" if outcome.pending else "success",
        transfer.from_account,
        transfer.to_account,
        money(transfer.amount_micros),
        transfer.currency,
        [TimelineEntry(step, at, **reason)],
        **reason,
    )


def _outcome_unknown(transaction_id: UUID | None = None) -> Problem:
    return Problem(
        "outcome-unknown",
        "The database did not answer in time. The request may have been done."
        " Send it again with the same Idempotency-Key to find out.",
        transaction_id=transaction_id,
    )


def _map_errors(handler: Handler) -> Handler:
    """Wraps the handler so that it raises the exceptions of the use cases as problems."""

    async def mapped(request: Request) -> Response:
        try:
            return await handler(request)
        except CommitUnknown as error:
            raise _outcome_unknown() from error
        except (QueueFull, BulkheadFull) as error:
            raise Problem(
                "overloaded", "Too many requests are waiting. Nothing was done. Send the request again later."
            ) from error
        except (NothingDone, *DATABASE_ERRORS) as error:
            _log.warning("nothing done", extra={"cause": repr(error)})
            raise Problem(
                "shard-unavailable",
                "The database did not take the request in time. Nothing was done. Send the request again.",
            ) from error

    return mapped
