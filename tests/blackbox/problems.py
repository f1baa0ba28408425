"""The contract's problem types with their statuses, and the check that a problem document is complete."""

from __future__ import annotations

from decimal import Decimal

from tests.blackbox.api import Answer

STATUS = {
    "invalid-request": 422,
    "idempotency-key-reused": 422,
    "unauthorized": 401,
    "not-found": 404,
    "wallet-not-found": 404,
    "transfer-not-found": 404,
    "method-not-allowed": 405,
    "wallet-exists": 409,
    "wallet-frozen": 409,
    "wallet-closed": 409,
    "wallet-not-empty": 409,
    "currency-mismatch": 409,
    "insufficient-funds": 409,
    "balance-limit": 409,
    "request-timeout": 408,
    "body-too-large": 413,
    "unsupported-media-type": 415,
    "internal-error": 500,
    "method-not-implemented": 501,
    "overloaded": 503,
    "draining": 503,
    "shard-unavailable": 503,
    "outcome-unknown": 503,
    "position-not-reached": 503,
}


def assert_complete(answer: Answer) -> None:
    """Fail unless the answer is a complete RFC 9457 document of a known type with the right status."""
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    assert media_type == "application/problem+json", (answer.status, answer.headers, answer.content[:500])
    for member in ("type", "title", "detail", "instance"):
        assert isinstance(answer.document.get(member), str), (member, answer)
        assert answer.document[member], (member, answer)
    assert str(answer.document["type"]).startswith("/problems/"), answer
    assert answer.problem in STATUS, answer
    assert answer.document["status"] == answer.status == STATUS[answer.problem], answer
    if answer.status == 503:
        assert Decimal(answer.headers["retry-after"]) >= 0, answer


def assert_problem(answer: Answer, *names: str) -> None:
    """Fail unless the answer is a complete problem document of one of these types."""
    assert_complete(answer)
    assert answer.problem in names, answer
