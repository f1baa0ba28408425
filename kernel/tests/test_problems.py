"""Problem documents: stable types, correct statuses, and useful details."""

import json
from uuid import UUID

import pytest

from wallet_kernel.contract.problems import PROBLEM_TYPES, Problem, invalid_request, problem_uri, refused
from wallet_kernel.refusals import Refusal

TRANSACTION = UUID("0199a0d4-7a00-8abc-8def-0123456789ab")


@pytest.mark.parametrize("name", PROBLEM_TYPES)
def test_every_type_has_a_complete_document(name: str) -> None:
    """Every type makes an RFC 9457 document: type, title, status, detail, instance; the status equals the answer's."""
    answer = Problem(name, "What happened.").response("/wallets/user1")
    document = json.loads(answer.body)
    assert document == {
        "type": f"/problems/{name}",
        "title": PROBLEM_TYPES[name].title,
        "status": answer.status,
        "detail": "What happened.",
        "instance": "/wallets/user1",
    }
    assert answer.content_type == b"application/problem+json"
    assert (b"retry-after" in dict(answer.headers)) == (answer.status == 503)


def test_problem_of_a_decided_transfer_names_it() -> None:
    """A refusal contains the transaction's id, so that clients can look it up."""
    document = json.loads(refused(Refusal.INSUFFICIENT_FUNDS, "Too little.", TRANSACTION).response("/").body)
    assert document["transactionId"] == str(TRANSACTION)
    assert document["type"] == problem_uri("insufficient-funds")


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_4xx_status(refusal: Refusal) -> None:
    """A refusal is a decision about the request (4xx), never a failure of the service (5xx)."""
    assert 400 <= refused(refusal, "No.").response("/").status < 500


def test_detail_and_instance_are_escaped() -> None:
    """Any characters in a request's path are escaped as JSON."""
    document = json.loads(invalid_request('a "quoted"\nline').response('/wallets/"\\é\u0000').body)
    assert document["detail"] == 'a "quoted"\nline'
    assert document["instance"] == '/wallets/"\\é\u0000'


def test_headers_of_a_problem_are_kept() -> None:
    """A problem's own headers are sent together with Retry-After."""
    answer = Problem("draining", "Going.", headers=((b"connection", b"close"),)).response("/")
    assert dict(answer.headers) == {b"connection": b"close", b"retry-after": b"1"}
