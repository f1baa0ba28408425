"""Problem documents (RFC 9457): every error of the public API has a stable type.

docs/problems.md explains each type to clients.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

from wallet_kernel.http import Headers, Response
from wallet_kernel.refusals import Refusal

PROBLEM_JSON = b"application/problem+json"
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: its HTTP status and its one-line title."""

    status: int
    title: str


PROBLEM_TYPES: Final[dict[str, ProblemType]] = {
    "invalid-request": ProblemType(422, "The request is not valid"),
    "idempotency-key-reused": ProblemType(422, "The Idempotency-Key belongs to another request"),
    "unauthorized": ProblemType(401, "An API key is required"),
    "not-found": ProblemType(404, "The route does not exist"),
    "method-not-allowed": ProblemType(405, "The route does not allow this method"),
    "request-timeout": ProblemType(408, "The request did not arrive in time"),
    "body-too-large": ProblemType(413, "The body is too large"),
    "unsupported-media-type": ProblemType(415, "The body must be JSON"),
    "wallet-not-found": ProblemType(404, "The wallet does not exist"),
    "transfer-not-found": ProblemType(404, "The transfer does not exist"),
    "wallet-exists": ProblemType(409, "The wallet already exists"),
    "wallet-frozen": ProblemType(409, "The wallet is frozen"),
    "wallet-closed": ProblemType(409, "The wallet is closed"),
    "wallet-not-empty": ProblemType(409, "The wallet is not empty"),
    "currency-mismatch": ProblemType(409, "The wallet holds another currency"),
    "insufficient-funds": ProblemType(409, "The balance is too low"),
    "balance-limit": ProblemType(409, "The balance would exceed its limit"),
    "method-not-implemented": ProblemType(501, "The server does not support this method"),
    "overloaded": ProblemType(503, "The service is overloaded"),
    "draining": ProblemType(503, "The service is shutting down"),
    "shard-unavailable": ProblemType(503, "A database is unavailable"),
    "outcome-unknown": ProblemType(503, "The outcome is unknown"),
    "position-not-reached": ProblemType(503, "The read model has not reached the position yet"),
    "internal-error": ProblemType(500, "The service failed"),
}


class _Document(Struct, omit_defaults=True):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    transactionId: UUID | UnsetType = UNSET
    position: int | UnsetType = UNSET


class Problem(Exception):
    """An exception that ends a request with a problem document. `detail` is written for the client's developer."""

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        transaction_id: UUID | None = None,
        position: int | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.transaction_id = transaction_id
        self.position = position
        self.headers = headers

    def response(self, instance: str) -> Response:
        """Returns the problem as an HTTP response. `instance` is the path of the request."""
        kind = PROBLEM_TYPES[self.name]
        document = _Document(
            type=problem_uri(self.name),
            title=kind.title,
            status=kind.status,
            detail=self.detail,
            instance=instance,
            transactionId=self.transaction_id or UNSET,
            position=UNSET if self.position is None else self.position,
        )
        return Response(kind.status, encode(document), (*self.headers, *_retry_after(kind)), PROBLEM_JSON)


def problem_uri(name: str) -> str:
    """Returns the `type` of a problem, which is also the `reason` of a refused transfer."""
    return f"/problems/{name}"


def _retry_after(kind: ProblemType) -> Headers:
    return ((b"retry-after", b"%d" % RETRY_AFTER_S),) if kind.status == 503 else ()


def invalid_request(detail: str) -> Problem:
    """Returns a 422 problem: the request fails whenever it is sent unchanged."""
    return Problem("invalid-request", detail)


_REFUSALS: Final[dict[Refusal, str]] = {
    Refusal.WALLET_NOT_FOUND: "The wallet {account} does not exist.",
    Refusal.WALLET_EXISTS: "A wallet {account} exists or existed. The name of a closed wallet cannot be used again.",
    Refusal.WALLET_FROZEN: "The wallet {account} is frozen. It can neither pay nor receive.",
    Refusal.WALLET_CLOSED: "The wallet {account} is closed. It cannot be opened again.",
    Refusal.WALLET_NOT_EMPTY: "The wallet {account} has a balance above 0, or a transfer in progress.",
    Refusal.CURRENCY_MISMATCH: "The wallet {account} holds another currency.",
    Refusal.INSUFFICIENT_FUNDS: "The balance of the wallet {account} is lower than the amount.",
    Refusal.BALANCE_LIMIT: "The amount would raise the balance of the wallet {account} above its limit.",
    Refusal.KEY_REUSED: "The Idempotency-Key was first used for another request to {account}. Use a new key.",
}


def refused(refusal: Refusal, account_id: str, transaction_id: UUID | None = None) -> Problem:
    """Returns the problem of a wallet's refusal, with its reason. Every replay returns the same text."""
    return Problem(
        refusal.value, _REFUSALS[refusal].format(account=account_id), transaction_id=transaction_id
    )
