"""A simple reference model of the wallets, with dictionaries and if statements."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from wallet_cqrs.domain.commands import (
    CloseWallet,
    Command,
    Deposit,
    FreezeWallet,
    OpenWallet,
    TransferMoney,
    UnfreezeWallet,
    Withdraw,
)

LIMIT = 2**63 - 1


@dataclass
class Model:
    """Balances, statuses, currencies and versions. `external` is the external account's balance by currency."""

    balance: dict[str, int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    currency: dict[str, str] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    external: dict[str, int] = field(default_factory=dict)

    def do(self, command: Command) -> str:
        """Executes a command; returns "done", or the refusal's name and account."""
        if isinstance(command, TransferMoney):
            return self._transfer(command)
        assert isinstance(
            command, OpenWallet | Deposit | Withdraw | FreezeWallet | UnfreezeWallet | CloseWallet
        )
        account = command.account_id
        if isinstance(command, OpenWallet):
            return self._open(account, command)
        if isinstance(command, Deposit | Withdraw):
            sign = 1 if isinstance(command, Deposit) else -1
            if refusal := self._cannot(account, sign * command.amount_micros, command.currency):
                return refusal
            self._post(account, sign * command.amount_micros)
            self.external[command.currency] = (
                self.external.get(command.currency, 0) - sign * command.amount_micros
            )
            return "done"
        return self._set_status(account, command)

    def _transfer(self, command: TransferMoney) -> str:
        payer, payee, micros = command.from_account, command.to_account, command.amount_micros
        if refusal := self._cannot(payer, -micros, command.currency) or self._cannot(
            payee, micros, command.currency
        ):
            return refusal
        self._post(payer, -micros)
        self._post(payee, micros)
        return "done"

    def _open(self, account: str, command: OpenWallet) -> str:
        if account in self.status:
            return f"wallet-exists {account}"
        self.balance[account], self.version[account] = command.balance_micros, 1
        self.status[account], self.currency[account] = "active", command.currency
        self.external[command.currency] = self.external.get(command.currency, 0) - command.balance_micros
        return "done"

    def _set_status(self, account: str, command: Command) -> str:
        status = self.status.get(account)
        wanted = {FreezeWallet: "frozen", UnfreezeWallet: "active", CloseWallet: "closed"}[type(command)]
        if status is None:
            return f"wallet-not-found {account}"
        if wanted == "closed" and self.balance[account]:
            return f"wallet-not-empty {account}"
        if wanted != "closed" and status == "closed":
            return f"wallet-closed {account}"
        if status != wanted:
            self.status[account] = wanted
            self.version[account] += 1
        return "done"

    def _cannot(self, account: str, delta: int, currency: str) -> str | None:
        status = self.status.get(account, "not-found")
        if status != "active":
            return f"wallet-{status} {account}"
        if self.currency[account] != currency:
            return f"currency-mismatch {account}"
        if self.balance[account] + delta < 0:
            return f"insufficient-funds {account}"
        return f"balance-limit {account}" if self.balance[account] + delta > LIMIT else None

    def _post(self, account: str, delta: int) -> None:
        self.balance[account] += delta
        self.version[account] += 1


ACCOUNTS = ("ann", "ben", "cat", "dan")
_accounts = st.sampled_from(ACCOUNTS)
_currencies = st.sampled_from(["USD", "USD", "USD", "EUR"])
_amounts = st.one_of(st.integers(1, 100), st.sampled_from([LIMIT, LIMIT - 50]))
_balances = st.one_of(st.integers(0, 200), st.sampled_from([LIMIT, LIMIT - 50]))

commands = st.one_of(
    st.tuples(_accounts, _accounts, _amounts, _currencies)
    .filter(lambda drawn: drawn[0] != drawn[1])
    .map(lambda drawn: TransferMoney(*drawn)),
    st.builds(OpenWallet, _accounts, _balances, _currencies),
    st.builds(Deposit, _accounts, _amounts, _currencies),
    st.builds(Withdraw, _accounts, _amounts, _currencies),
    st.builds(FreezeWallet, _accounts),
    st.builds(UnfreezeWallet, _accounts),
    st.builds(CloseWallet, _accounts),
)
"""Commands on four wallets, with amounts near all limits."""
