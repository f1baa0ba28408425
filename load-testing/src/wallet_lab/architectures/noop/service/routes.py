"""The operations of the load. Requests are parsed and validated as usual, then answered at once."""

from collections.abc import Mapping
from datetime import UTC, datetime

from wallet_kernel.contract import requests
from wallet_kernel.contract.answers import WalletView, transfer_succeeded, wallet_answer, wallet_opened
from wallet_kernel.contract.requests import Requests
from wallet_kernel.http import Answer, Call, Handler
from wallet_kernel.ids import new_transaction_id


class NoopRoutes:
    """Handlers without state: every transfer succeeds, and every wallet exists and is empty."""

    def __init__(self, parse: Requests) -> None:
        self._parse = parse

    def handlers(self) -> Mapping[str, Handler]:
        """Handlers by operation of the contract."""
        return {"transfer": self.transfer, "balance": self.balance, "openWallet": self.open_wallet}

    async def transfer(self, call: Call) -> Answer:
        """Handle POST /wallets/balanceTransfer."""
        request = self._parse.transfer(call)
        requests.idempotency_key(call)
        return transfer_succeeded(new_transaction_id(request.from_account), replayed=False)

    async def balance(self, call: Call) -> Answer:
        """Handle GET /wallets/{accountId}/balance."""
        currency = self._parse.query_currency(call) or "USD"
        return wallet_answer(_wallet(requests.path_account(call), currency, 0))

    async def open_wallet(self, call: Call) -> Answer:
        """Handle POST /wallets."""
        request = self._parse.wallet(call)
        wallet = _wallet(request.account_id, request.currency, request.balance_micros)
        return wallet_opened(new_transaction_id(request.account_id), wallet, replayed=False)


def _wallet(account_id: str, currency: str, balance_micros: int) -> WalletView:
    return WalletView(account_id, currency, balance_micros, 1, "active", datetime.now(UTC))
