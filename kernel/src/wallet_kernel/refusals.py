"""Why a wallet refuses: the names both architectures use in their books, and the contract in its problems."""

from enum import StrEnum


class Refusal(StrEnum):
    """A refusal is a decision, durable and final. A timeout is not one: it is unknown."""

    WALLET_NOT_FOUND = "wallet-not-found"
    WALLET_EXISTS = "wallet-exists"
    WALLET_FROZEN = "wallet-frozen"
    WALLET_CLOSED = "wallet-closed"
    WALLET_NOT_EMPTY = "wallet-not-empty"
    CURRENCY_MISMATCH = "currency-mismatch"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    BALANCE_LIMIT = "balance-limit"
    KEY_REUSED = "idempotency-key-reused"
