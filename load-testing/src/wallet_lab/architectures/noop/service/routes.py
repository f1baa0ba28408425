"""The operations of the load. Requests are parsed and validated as usual, then answered immediately."""

from collections.abc import Mapping
from datetime import UTC, datetime

from wallet_kernel.contract import requests
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import WalletView, transfer_succeeded, wallet_opened, wallet_response
from wallet_kernel.http import Handler, Request, Response
from wallet_kernel.ids import new_transaction_id


class NoopRoutes:
    """Handlers without state: every transfer succeeds, and every wallet exists and is empty."""

    def __init__(self, parse: Requests) -> None:
        self._parse = parse

    def handlers(self) -> Mapping[str, Handler]:
        """Handlers by operation of the contract."""
        return {"transfer": self.transfer, "balance": self.balance, "openWallet": self.open_wallet}

    async def transfer(self, request: Request) -> Response:
        """Handle POST /wallets/balanceTransfer."""
        transfer = self._parse.transfer(request)
        requests.idempotency_key(request)
        return transfer_succeeded(new_transaction_id(transfer.from_account), replayed=False)

    async def balance(self, request: Request) -> Response:
        """Handle GET /wallets/{accountId}/balance."""
        currency = self._parse.query_currency(request) or "USD"
        return wallet_response(_wallet(requests.path_account(request), currency, 0))

    async def open_wallet(self, request: Request) -> Response:
        """Handle POST /wallets."""
        opening = self._parse.wallet(request)
        wallet = _wallet(opening.account_id, opening.currency, opening.balance_micros)
        return wallet_opened(new_transaction_id(opening.account_id), wallet, replayed=False)


def _wallet(account_id: str, currency: str, balance_micros: int) -> WalletView:
    return WalletView(account_id, currency, balance_micros, 1, "active", datetime.now(UTC))
