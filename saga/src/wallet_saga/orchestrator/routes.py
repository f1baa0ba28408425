"""The public routes: each handler parses the request, calls the use case, and builds the response."""

from datetime import datetime

from msgspec.msgpack import Decoder

from wallet_kernel.bulkhead import BulkheadFull
from wallet_kernel.contract import requests
from wallet_kernel.contract.answers import statement_page, transfer_document, wallet_answer
from wallet_kernel.contract.problems import Problem, invalid_request, refused
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Answer, Call, Handler
from wallet_kernel.refusals import Refusal
from wallet_kernel.runtime.metrics import count_transfers
from wallet_saga.balances import wallet_view
from wallet_saga.orchestrator.answers import (
    cash_answer,
    no_outcome,
    opened_answer,
    saga_answer,
    statement_item,
    transfer_view,
    undecided_answer,
    wallet_of,
)
from wallet_saga.orchestrator.balance_reader import BalanceReader
from wallet_saga.orchestrator.payments import NoOutcome, Payments, Undecided
from wallet_saga.orchestrator.shard_client import OutcomeUnknown, Overloaded, ShardUnavailable
from wallet_saga.orchestrator.shards import Shards
from wallet_saga.protocol import (
    BalanceAt,
    BalanceAtAnswer,
    CreditRecord,
    FutureMoment,
    Lookup,
    Outcome,
    Read,
    Refused,
    SetFrozen,
    Statement,
    StatementAnswer,
    TransferRecord,
)

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

    async def transfer(self, call: Call) -> Answer:
        """POST /wallets/balanceTransfer."""
        request, key = self._requests.transfer(call), requests.idempotency_key(call)
        try:
            return saga_answer(await self._payments.transfer(request, key))
        except Undecided as undecided:
            return undecided_answer(undecided)

    async def balance(self, call: Call) -> Answer:
        """GET /wallets/{accountId}/balance."""
        account_id, currency = requests.path_account(call), self._requests.query_currency(call)
        if at := requests.moment(call):
            return await self._balance_at(account_id, currency, at)
        if body := await self._balances.cached(account_id):
            if currency is None or f'"currency":"{currency}"'.encode() in body:
                return Answer(200, body)
            raise refused(Refusal.CURRENCY_MISMATCH, account_id)
        try:
            async with self._balances.missing():
                wallet = await self._payments.perform(account_id, Read(account_id))
        except (NoOutcome, TimeoutError) as error:  # never outcome-unknown, because a read changes nothing
            raise ShardUnavailable(str(error)) from error
        return _wallet_answer(account_id, wallet, currency)

    async def open_wallet(self, call: Call) -> Answer:
        """POST /wallets."""
        request, key = self._requests.wallet(call), requests.idempotency_key(call)
        return opened_answer(request.account_id, *await self._payments.open_wallet(request, key))

    async def deposit(self, call: Call) -> Answer:
        """POST /wallets/{accountId}/deposits."""
        request, key = self._requests.cash(call), requests.idempotency_key(call)
        return cash_answer(request.account_id, *await self._payments.deposit(request, key))

    async def withdraw(self, call: Call) -> Answer:
        """POST /wallets/{accountId}/withdrawals."""
        request, key = self._requests.cash(call), requests.idempotency_key(call)
        return cash_answer(request.account_id, *await self._payments.withdraw(request, key))

    async def change_status(self, call: Call) -> Answer:
        """PUT /wallets/{accountId}."""
        account_id = requests.path_account(call)
        step = SetFrozen(account_id, requests.frozen(call))
        return _wallet_answer(account_id, await self._payments.perform(account_id, step))

    async def close_wallet(self, call: Call) -> Answer:
        """DELETE /wallets/{accountId}."""
        account_id = requests.path_account(call)
        return _wallet_answer(account_id, await self._payments.close_wallet(account_id))

    async def statement(self, call: Call) -> Answer:
        """GET /wallets/{accountId}/transactions."""
        page = requests.statement(call)
        question = Statement(page.account_id, page.limit + 1, page.before_version)
        postings = await self._shards.of_account(page.account_id).read("/statement", question, _STATEMENT)
        if isinstance(postings, Refused):
            raise refused(postings.reason, page.account_id)
        items = [statement_item(entry) for entry in postings.entries]
        return statement_page(items[: page.limit], more=len(items) > page.limit)

    async def look_up_transfer(self, call: Call) -> Answer:
        """GET /transfers/{transactionId}. Reads the payer's log and, for a transfer, the payee's credit barrier."""
        lookup = Lookup(requests.transaction_id(call))
        transfer = await self._logged(lookup)
        credit = None
        if transfer.kind == "transfer" and transfer.state != "refused":
            credit = await self._shards.of_account(transfer.to_account).read("/credit", lookup, _CREDIT)
        return transfer_document(transfer_view(transfer, credit))

    async def _logged(self, lookup: Lookup) -> TransferRecord:
        shard = self._shards.of_transfer(lookup.transfer_id)
        found: TransferRecord | None = await shard.read("/transfer", lookup, _TRANSFER)
        if found is None:
            # Because a client that got outcome-unknown sends the transfer again after a 404, the 404 must wait until
            # the shard has decided all steps that were queued before.
            await self._payments.passed(shard)
            found = await shard.read("/transfer", lookup, _TRANSFER)
        if found is None:
            raise Problem("transfer-not-found", "No transfer has this id.")
        return found

    async def _balance_at(self, account_id: str, currency: str | None, at: datetime) -> Answer:
        shard = self._shards.of_account(account_id)
        then = await shard.read("/balance-at", BalanceAt(account_id, at), _BALANCE_AT)
        if isinstance(then, FutureMoment):
            raise invalid_request("at has not come yet.")
        return _wallet_answer(account_id, then, currency)


def _wallet_answer(account_id: str, outcome: Outcome, currency: str | None = None) -> Answer:
    wallet = wallet_of(account_id, outcome)
    if currency not in (None, wallet.currency):
        raise refused(Refusal.CURRENCY_MISMATCH, account_id)
    return wallet_answer(wallet_view(wallet))


def _map_errors(handler: Handler) -> Handler:
    """Wraps the handler so that it raises the exceptions of the workers' clients as problems."""

    async def mapped(call: Call) -> Answer:
        try:
            return await handler(call)
        except NoOutcome as error:
            raise no_outcome(error) from error
        except (Overloaded, BulkheadFull) as error:
            raise Problem(
                "overloaded", "Too many requests are waiting. Nothing was done. Send the request again later."
            ) from error
        except (ShardUnavailable, OutcomeUnknown) as error:
            raise Problem(
                "shard-unavailable", "The wallet's database is out of reach. Send the request again."
            ) from error

    return mapped
