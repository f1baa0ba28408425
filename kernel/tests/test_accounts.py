"""The system accounts, and the owner of an idempotency key."""

import pytest

from wallet_kernel.accounts import EXTERNAL, key_owner


@pytest.mark.parametrize(
    ("payer", "payee", "owner"),
    [("alice", "bob", "alice"), ("alice", EXTERNAL, "alice"), (EXTERNAL, "bob", "bob")],
)
def test_key_belongs_to_the_wallet_that_pays_or_receives_outside_money(
    payer: str, payee: str, owner: str
) -> None:
    """An idempotency key belongs to the payer, or to the receiver of money from outside."""
    assert key_owner(payer, payee) == owner
