"""The public routes for writes: each parses the request, runs the use case and returns the response."""

from wallet_cqrs.command.answers import money_answer, no_outcome, opened_answer, status_answer
from wallet_cqrs.command.payments import NoOutcome, Payments
from wallet_cqrs.domain.commands import CloseWallet, FreezeWallet, UnfreezeWallet
from wallet_kernel.batcher import QueueFull
from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Answer, Call, Handler
from wallet_kernel.runtime.metrics import count_transfers


class PublicRoutes:
    """The handlers of the contract's writing operations."""

    def __init__(self, requests: Requests, payments: Payments) -> None:
        self._requests = requests
        self._payments = payments

    def handlers(self) -> dict[str, Handler]:
        """Returns the handlers by operation name."""
        return {
            "transfer": count_transfers(_map_errors(self.transfer)),
            "openWallet": _map_errors(self.open_wallet),
            "deposit": _map_errors(self.deposit),
            "withdraw": _map_errors(self.withdraw),
            "changeStatus": _map_errors(self.change_status),
            "closeWallet": _map_errors(self.close_wallet),
        }

    async def transfer(self, call: Call) -> Answer:
        """POST /wallets/balanceTransfer."""
        request, key = self._requests.transfer(call), requests.idempotency_key(call)
        return money_answer(request.from_account, *await self._payments.transfer(request, key))

    async def open_wallet(self, call: Call) -> Answer:
        """POST /wallets."""
        request, key = self._requests.wallet(call), requests.idempotency_key(call)
        return opened_answer(request.account_id, *await self._payments.open_wallet(request, key))

    async def deposit(self, call: Call) -> Answer:
        """POST /wallets/{accountId}/deposits."""
        request, key = self._requests.cash(call), requests.idempotency_key(call)
        return money_answer(request.account_id, *await self._payments.deposit(request, key))

    async def withdraw(self, call: Call) -> Answer:
        """POST /wallets/{accountId}/withdrawals."""
        request, key = self._requests.cash(call), requests.idempotency_key(call)
        return money_answer(request.account_id, *await self._payments.withdraw(request, key))

    async def change_status(self, call: Call) -> Answer:
        """PUT /wallets/{accountId}."""
        account_id, freeze = requests.path_account(call), requests.frozen(call)
        command = FreezeWallet(account_id) if freeze else UnfreezeWallet(account_id)
        return status_answer(await self._payments.change_status(command))

    async def close_wallet(self, call: Call) -> Answer:
        """DELETE /wallets/{accountId}."""
        return status_answer(await self._payments.change_status(CloseWallet(requests.path_account(call))))


def _map_errors(handler: Handler) -> Handler:
    """Wraps a handler: maps NoOutcome and QueueFull to problems."""

    async def mapped(call: Call) -> Answer:
        try:
            return await handler(call)
        except NoOutcome as error:
            raise no_outcome(error) from error
        except QueueFull as full:
            raise Problem(
                "overloaded", "Too many commands are waiting; send the request again later."
            ) from full

    return mapped
