"""The public routes for writes: each parses the request, runs the use case and returns the response."""

from wallet_cqrs.command.payments import Payments
from wallet_cqrs.command.responses import money_response, no_outcome, opening_response, status_response
from wallet_cqrs.domain.commands import CloseWallet, FreezeWallet, UnfreezeWallet
from wallet_kernel.attempt import NoOutcome
from wallet_kernel.batcher import QueueFull
from wallet_kernel.contract import requests
from wallet_kernel.contract.problems import Problem
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Handler, Request, Response
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

    async def transfer(self, request: Request) -> Response:
        """POST /wallets/balanceTransfer."""
        transfer, key = self._requests.transfer(request), requests.idempotency_key(request)
        return money_response(transfer.from_account, *await self._payments.transfer(transfer, key))

    async def open_wallet(self, request: Request) -> Response:
        """POST /wallets."""
        opening, key = self._requests.wallet(request), requests.idempotency_key(request)
        return opening_response(opening.account_id, *await self._payments.open_wallet(opening, key))

    async def deposit(self, request: Request) -> Response:
        """POST /wallets/{accountId}/deposits."""
        deposit, key = self._requests.cash(request), requests.idempotency_key(request)
        return money_response(deposit.account_id, *await self._payments.deposit(deposit, key))

    async def withdraw(self, request: Request) -> Response:
        """POST /wallets/{accountId}/withdrawals."""
        withdrawal, key = self._requests.cash(request), requests.idempotency_key(request)
        return money_response(withdrawal.account_id, *await self._payments.withdraw(withdrawal, key))

    async def change_status(self, request: Request) -> Response:
        """PUT /wallets/{accountId}."""
        account_id, freeze = requests.path_account(request), requests.frozen(request)
        command = FreezeWallet(account_id) if freeze else UnfreezeWallet(account_id)
        return status_response(await self._payments.change_status(command))

    async def close_wallet(self, request: Request) -> Response:
        """DELETE /wallets/{accountId}."""
        return status_response(
            await self._payments.change_status(CloseWallet(requests.path_account(request)))
        )


def _map_errors(handler: Handler) -> Handler:
    """Wraps a handler: maps NoOutcome and QueueFull to problems."""

    async def mapped(request: Request) -> Response:
        try:
            return await handler(request)
        except NoOutcome as error:
            raise no_outcome(error) from error
        except QueueFull as full:
            raise Problem(
                "overloaded", "Too many commands are waiting; send the request again later."
            ) from full

    return mapped
