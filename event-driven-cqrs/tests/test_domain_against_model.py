"""Compares the decider with a simple reference model."""

from datetime import UTC, datetime

from cqrs_support.model import ACCOUNTS, LIMIT, Model, commands
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_cqrs.domain.commands import Command
from wallet_cqrs.domain.decisions import Refused, decide
from wallet_cqrs.domain.wallet import Wallet, evolve, initial_state

AT = datetime(2026, 1, 31, tzinfo=UTC)


def settle(wallets: dict[str, Wallet], command: Command) -> str:
    """Decides and folds a command; returns the outcome in the model's terms."""
    decision = decide(wallets.__getitem__, command)
    if isinstance(decision, Refused):
        return f"{decision.reason} {decision.account_id}"
    for account_id, event in decision:
        before = wallets[account_id]
        wallets[account_id] = evolve(before, event, AT)
        assert wallets[account_id].version == before.version + 1
    return "done"


@settings(max_examples=300)
@given(st.lists(commands, max_size=60))
def test_wallets_follow_the_model(given_commands: list[Command]) -> None:
    """Outcomes, balances, statuses and versions equal the model's; money is conserved and never negative."""
    wallets, model = {account: initial_state(account) for account in ACCOUNTS}, Model()
    for command in given_commands:
        assert settle(wallets, command) == model.do(command)
        assert all(0 <= wallet.balance_micros <= LIMIT for wallet in wallets.values())
    for account, wallet in wallets.items():
        assert wallet.balance_micros == model.balance.get(account, 0)
        assert wallet.version == model.version.get(account, 0)
        assert wallet.status == model.status.get(account, "absent")
    for currency in ("USD", "EUR"):
        held = sum(wallet.balance_micros for wallet in wallets.values() if wallet.currency == currency)
        assert held + model.external.get(currency, 0) == 0
