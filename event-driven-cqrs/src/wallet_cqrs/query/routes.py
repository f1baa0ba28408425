"""The public routes for reads: each parses the request, reads and returns the response."""

from datetime import datetime

from wallet_cqrs.messages import partition_of
from wallet_cqrs.query.balance_reader import BalanceReader
from wallet_cqrs.query.history import FutureMoment, History
from wallet_cqrs.query.read_shard import ReadShard
from wallet_cqrs.query.responses import READ_ERRORS, read_problem, statement_item, transfer_view
from wallet_cqrs.read_model import wallet_view
from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem, invalid_request, refused
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import (
    at_position,
    statement_page,
    transfer_document,
    wallet_response,
)
from wallet_kernel.http import Handler, Request, Response
from wallet_kernel.refusals import Refusal


class PublicRoutes:
    """The handlers of the contract's reading operations."""

    def __init__(
        self,
        requests: Requests,
        balances: BalanceReader,
        shards: list[ReadShard],
        history: History,
    ) -> None:
        self._requests = requests
        self._balances = balances
        self._shards = shards
        self._history = history

    def handlers(self) -> dict[str, Handler]:
        """Returns the handlers by operation name."""
        return {
            "balance": _map_errors(self.balance),
            "statement": _map_errors(self.statement),
            "lookUpTransfer": _map_errors(self.look_up_transfer),
        }

    async def balance(self, request: Request) -> Response:
        """GET /wallets/{accountId}/balance."""
        account_id, currency = requests.path_account(request), self._requests.query_currency(request)
        min_position = requests.min_position(request)
        if at := requests.moment(request):
            return await self._balance_at(account_id, currency, at, min_position)
        entry = await self._balances.balance(account_id, min_position)
        if entry is None:
            raise refused(Refusal.WALLET_NOT_FOUND, account_id)
        if currency is not None and f'"currency":"{currency}"'.encode() not in entry.body:
            raise refused(Refusal.CURRENCY_MISMATCH, account_id)
        return Response(200, entry.body)

    async def statement(self, request: Request) -> Response:
        """GET /wallets/{accountId}/transactions."""
        page, min_position = requests.statement(request), requests.min_position(request)
        shard = self._shards[partition_of(page.account_id, len(self._shards))]
        # Reads the wallet first, so that the page is at least as new as the returned position.
        wallet, (position, _) = await shard.balance(page.account_id, min_position)
        if wallet is None:
            raise refused(Refusal.WALLET_NOT_FOUND, page.account_id)
        postings = await shard.statement(page.account_id, page.limit + 1, page.before_version)
        items = [statement_item(posting) for posting in postings[: page.limit]]
        return at_position(statement_page(items, more=len(postings) > page.limit), position)

    async def look_up_transfer(self, request: Request) -> Response:
        """GET /transfers/{transactionId}: returns the decision and its events, which never change."""
        transaction_id, min_position = requests.transaction_id(request), requests.min_position(request)
        transfer = await self._history.transfer(transaction_id, min_position)
        if transfer is None:
            raise Problem("transfer-not-found", "No transfer has this id.")
        return at_position(transfer_document(transfer_view(transfer)), max(transfer.position, min_position))

    async def _balance_at(
        self, account_id: str, currency: str | None, at: datetime, min_position: int
    ) -> Response:
        try:
            wallet, position = await self._history.wallet_at(account_id, at, min_position)
        except FutureMoment as error:
            raise invalid_request("at is in the future.") from error
        if wallet.version == 0:
            raise refused(Refusal.WALLET_NOT_FOUND, account_id)
        if currency not in (None, wallet.currency):
            raise refused(Refusal.CURRENCY_MISMATCH, account_id)
        return at_position(wallet_response(wallet_view(wallet)), position)


def _map_errors(handler: Handler) -> Handler:
    """Wraps a handler: maps full queues and database errors to problems."""

    async def mapped(request: Request) -> Response:
        try:
            return await handler(request)
        except READ_ERRORS as error:
            raise read_problem(error) from error

    return mapped
