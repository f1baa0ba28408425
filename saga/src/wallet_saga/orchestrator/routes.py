"""The public routes: each handler parses the request, calls the use case, and builds the response."""

from datetime import datetime

from msgspec.msgpack import Decoder

from wallet_kernel.attempt import NoOutcome
from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem, invalid_request, refused
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import statement_page, transfer_document, wallet_response
from wallet_kernel.http import Handler, Request, Response
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import count_transfers
from wallet_saga.balance_cache import wallet_view
from wallet_saga.domain.batch import CreditRecord
from wallet_saga.domain.commands import ChangeStatus, Outcome, ReadWallet, Refused, TransferRecord
from wallet_saga.messages import BalanceAt, BalanceAtAnswer, FutureMoment, Lookup, Statement, StatementAnswer
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.payments import Payments, Undecided
from wallet_saga.orchestrator.responses import (
    cash_response,
    no_outcome,
    opened_response,
    saga_response,
    statement_item,
    transfer_view,
    undecided_response,
    wallet_of,
)
from wallet_saga.orchestrator.shard_client import OutcomeUnknown, Overloaded, Shards, ShardUnavailable

_TRANSFER = Decoder(TransferRecord | None)
_CREDIT = Decoder(CreditRecord | None)
_STATEMENT = Decoder(StatementAnswer)
_BALANCE_AT = Decoder(BalanceAtAnswer)


class PublicRoutes:
    """The handlers of the contract's operations."""

    def __init__(
        self, requests: Requests, payments: Payments, shards: Shards, balances: BalanceReader
    ) -> None:
        self._requests = requests
        self._payments = payments
        self._shards = shards
        self._balances = balances

    def handlers(self) -> dict[str, Handler]:
        """Returns the handlers by operation id."""
        return {
            "transfer": count_transfers(map_errors(self.transfer)),
            "balance": map_errors(self.balance),
            "openWallet": map_errors(self.open_wallet),
            "deposit": map_errors(self.deposit),
            "withdraw": map_errors(self.withdraw),
            "statement": map_errors(self.statement),
            "changeStatus": map_errors(self.change_status),
            "closeWallet": map_errors(self.close_wallet),
            "lookUpTransfer": map_errors(self.look_up_transfer),
        }

    async def transfer(self, request: Request) -> Response:
        """POST /wallets/balanceTransfer."""
        transfer, key = self._requests.transfer(request), requests.idempotency_key(request)
        try:
            return saga_response(await self._payments.transfer(transfer, key))
        except Undecided as undecided:
            return undecided_response(undecided)

    async def balance(self, request: Request) -> Response:
        """GET /wallets/{accountId}/balance."""
        account_id, currency = requests.path_account(request), self._requests.query_currency(request)
        if at := requests.moment(request):
            return await self._balance_at(account_id, currency, at)
        if body := await self._balances.cached(account_id):
            if currency is None or f'"currency":"{currency}"'.encode() in body:
                return Response(200, body)
            raise refused(Refusal.CURRENCY_MISMATCH, account_id)
        try:
            async with self._balances.missing():
                wallet = await self._payments.perform(ReadWallet(account_id))
        except (NoOutcome, TimeoutError) as error:  # never outcome-unknown, because a read changes nothing
            raise ShardUnavailable(str(error)) from error
        return _wallet_response(account_id, wallet, currency)

    async def open_wallet(self, request: Request) -> Response:
        """POST /wallets."""
        opening, key = self._requests.wallet(request), requests.idempotency_key(request)
        return opened_response(opening.account_id, *await self._payments.open_wallet(opening, key))

    async def deposit(self, request: Request) -> Response:
        """POST /wallets/{accountId}/deposits."""
        deposit, key = self._requests.cash(request), requests.idempotency_key(request)
        return cash_response(deposit.account_id, *await self._payments.deposit(deposit, key))

    async def withdraw(self, request: Request) -> Response:
        """POST /wallets/{accountId}/withdrawals."""
        withdrawal, key = self._requests.cash(request), requests.idempotency_key(request)
        return cash_response(withdrawal.account_id, *await self._payments.withdraw(withdrawal, key))

    async def change_status(self, request: Request) -> Response:
        """PUT /wallets/{accountId}."""
        account_id = requests.path_account(request)
        command = ChangeStatus(account_id, requests.frozen(request))
        return _wallet_response(account_id, await self._payments.perform(command))

    async def close_wallet(self, request: Request) -> Response:
        """DELETE /wallets/{accountId}."""
        account_id = requests.path_account(request)
        return _wallet_response(account_id, await self._payments.close_wallet(account_id))

    async def statement(self, request: Request) -> Response:
        """GET /wallets/{accountId}/transactions."""
        page = requests.statement(request)
        question = Statement(page.account_id, page.limit + 1, page.before_version)
        postings = await self._shards.of_account(page.account_id).read("/statement", question, _STATEMENT)
        if isinstance(postings, Refused):
            raise refused(postings.reason, page.account_id)
        items = [statement_item(entry) for entry in postings.entries]
        return statement_page(items[: page.limit], more=len(items) > page.limit)

    async def look_up_transfer(self, request: Request) -> Response:
        """GET /transfers/{transactionId}. Reads the payer's log and, for a transfer, the payee's credit barrier."""
        lookup = Lookup(requests.transaction_id(request))
        transfer = await self._logged(lookup)
        credit = None
        if transfer.kind == "transfer" and transfer.state != "refused":
            credit = await self._shards.of_account(transfer.to_account).read("/credit", lookup, _CREDIT)
        return transfer_document(transfer_view(transfer, credit))

    async def _logged(self, lookup: Lookup) -> TransferRecord:
        shard = self._shards.of_transaction(lookup.transaction_id)
        found: TransferRecord | None = await shard.read("/transfer", lookup, _TRANSFER)
        if found is None:
            # Because a client that got outcome-unknown sends the transfer again after a 404, the 404 must wait until
            # the shard has decided all commands that were queued before.
            await self._payments.flush(shard)
            found = await shard.read("/transfer", lookup, _TRANSFER)
        if found is None:
            raise Problem("transfer-not-found", "No transfer has this id.")
        return found

    async def _balance_at(self, account_id: str, currency: str | None, at: datetime) -> Response:
        shard = self._shards.of_account(account_id)
        then = await shard.read("/balance-at", BalanceAt(account_id, at), _BALANCE_AT)
        if isinstance(then, FutureMoment):
            raise invalid_request("at is in the future.")
        return _wallet_response(account_id, then, currency)


def _wallet_response(account_id: str, outcome: Outcome, currency: str | None = None) -> Response:
    wallet = wallet_of(account_id, outcome)
    if currency not in (None, wallet.currency):
        raise refused(Refusal.CURRENCY_MISMATCH, account_id)
    return wallet_response(wallet_view(wallet))


def map_errors(handler: Handler) -> Handler:
    """Wraps the handler so that it raises the exceptions of the workers' clients as problems."""

    async def mapped(request: Request) -> Response:
        try:
            return await handler(request)
        except NoOutcome as error:
            raise no_outcome(error) from error
        except (Overloaded, BulkheadFull) as error:
            raise Problem(
                "overloaded", "Too many requests are waiting. Nothing was done. Send the request again later."
            ) from error
        except (ShardUnavailable, OutcomeUnknown) as error:
            raise Problem(
                "shard-unavailable", "The wallet's database is unavailable. Send the request again."
            ) from error

    return mapped
