"""The reasons why a wallet refuses a step. Both architectures store these names, and problem types use them."""

from enum import StrEnum


class Refusal(StrEnum):
    """A refusal is a durable and final decision. A timeout is not a refusal, because its outcome is unknown."""

    WALLET_NOT_FOUND = "wallet-not-found"
    WALLET_EXISTS = "wallet-exists"
    WALLET_FROZEN = "wallet-frozen"
    WALLET_CLOSED = "wallet-closed"
    WALLET_NOT_EMPTY = "wallet-not-empty"
    CURRENCY_MISMATCH = "currency-mismatch"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    BALANCE_LIMIT = "balance-limit"
    KEY_REUSED = "idempotency-key-reused"
