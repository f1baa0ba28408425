"""The OpenAPI document is valid, complete, and agrees with the kernel's parsers and answers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from wallet_kernel.contract import requests, responses
from wallet_kernel.contract.openapi import openapi, problem_names
from wallet_kernel.contract.operations import OPERATIONS
from wallet_kernel.contract.problems import PROBLEM_TYPES, Problem
from wallet_kernel.contract.requests import Requests
from wallet_kernel.contract.responses import StatementItem, TimelineEntry, TransferView, WalletView
from wallet_kernel.http import Request, Response

CURRENCIES = ("USD", "EUR", "GBP")
DOCUMENT = openapi("Saga", CURRENCIES)
WITH_POSITIONS = openapi("CQRS", CURRENCIES, positions=True)
TRANSACTION = UUID("0199a0d4-7a00-8abc-8def-0123456789ab")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WALLET = WalletView("user1", "USD", 2**63 - 1, 3, "active", NOON)
NEVER_OF_AN_OPERATION = {"not-found", "method-not-implemented"}


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the contract's operations in a document, by name."""
    found = (operation for path in document["paths"].values() for operation in path.values())
    return {operation["operationId"]: operation for operation in found if "operationId" in operation}


def fits(schema: str | dict[str, Any], instance: object, document: dict[str, Any] = DOCUMENT) -> bool:
    """Returns whether the instance matches a schema, given as a dict or by its name in the document."""
    given = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return bool(OAS31Validator(given | {"components": document["components"]}).is_valid(instance))


def body_of(answer: Response) -> object:
    """Returns the document of an answer."""
    return json.loads(answer.body, parse_float=Decimal)


@pytest.mark.parametrize("document", [DOCUMENT, WITH_POSITIONS], ids=["saga", "cqrs"])
def test_document_is_valid(document: dict[str, Any]) -> None:
    """The document is valid OpenAPI 3.1, with valid examples and defaults, and is plain JSON."""
    assert list(OpenAPIV31SpecValidator(json.loads(json.dumps(document))).iter_errors()) == []


def test_every_operation_is_described() -> None:
    """The document has every operation under its method and path, and the health routes."""
    for name, (method, path) in OPERATIONS.items():
        assert DOCUMENT["paths"][path][method.lower()]["operationId"] == name
    assert operations(DOCUMENT).keys() == OPERATIONS.keys()
    assert {"/livez", "/readyz"} == DOCUMENT["paths"].keys() - {path for _, path in OPERATIONS.values()}


def test_every_problem_type_is_described() -> None:
    """Every problem type that an operation can answer with is described."""
    described = {name for operation in OPERATIONS for name in problem_names(operation, positions=True)}
    assert described == PROBLEM_TYPES.keys() - NEVER_OF_AN_OPERATION
    saga = {name for operation in OPERATIONS for name in problem_names(operation)}
    assert described - saga == {"position-not-reached"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_problems_of_an_operation_fit_their_response(name: str) -> None:
    """A problem document matches the response of its status, including the headers."""
    responses = operations(WITH_POSITIONS)[name]["responses"]
    for problem in problem_names(name, positions=True):
        answer = Problem(problem, "Why.", transaction_id=TRANSACTION).response("/wallets")
        response = responses[str(answer.status)]
        schema = response["content"]["application/problem+json"]["schema"]
        assert fits(schema, body_of(answer), WITH_POSITIONS)
        assert ("Retry-After" in response["headers"]) == (b"retry-after" in dict(answer.headers))


def test_problem_of_another_operation_does_not_fit() -> None:
    """An operation's response accepts only the problem types of that operation."""
    schema = operations(DOCUMENT)["closeWallet"]["responses"]["409"]["content"]["application/problem+json"][
        "schema"
    ]
    assert fits(schema, body_of(Problem("wallet-not-empty", "Why.").response("/")))
    assert not fits(schema, body_of(Problem("insufficient-funds", "Why.").response("/")))


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ("Success", responses.transfer_succeeded(TRANSACTION, replayed=False)),
        ("Pending", responses.transfer_pending(TRANSACTION, replayed=False)),
        ("Wallet", responses.wallet_response(WALLET)),
        ("OpenedWallet", responses.wallet_opened(TRANSACTION, WALLET, replayed=False)),
        (
            "Statement",
            responses.statement_page(
                [
                    StatementItem(
                        TRANSACTION, "deposit", responses.money(-1), responses.money(0), 1, "@external", ""
                    )
                ],
                more=True,
            ),
        ),
        ("Statement", responses.statement_page([], more=False)),
        (
            "Transfer",
            responses.transfer_document(
                TransferView(
                    TRANSACTION,
                    "refused",
                    "user1",
                    "user2",
                    responses.money(1),
                    "USD",
                    [TimelineEntry("debit", "", "/problems/wallet-frozen")],
                    "/problems/wallet-frozen",
                )
            ),
        ),
    ],
)
def test_answers_match_their_schemas(schema: str, answer: Response) -> None:
    """Every answer of the kernel matches its schema and has no other members."""
    document = body_of(answer)
    assert fits(schema, document)
    assert isinstance(document, dict)
    assert document.keys() <= DOCUMENT["components"]["schemas"][schema]["properties"].keys()


@pytest.mark.parametrize(
    ("schema", "parsed"),
    [
        ("TransferRequest", requests._TransferBody),
        ("WalletRequest", requests._WalletBody),
        ("CashRequest", requests._CashBody),
        ("StatusRequest", requests._StatusBody),
        ("Transfer", TransferView),
    ],
)
def test_schema_has_the_members_of_the_structs(schema: str, parsed: type[msgspec.Struct]) -> None:
    """Schema and parser have the same members, the same required ones, and the same order."""
    published = DOCUMENT["components"]["schemas"][schema]
    fields = msgspec.structs.fields(parsed)
    assert set(published["properties"]) == {field.name for field in fields}
    assert published["required"] == [field.name for field in fields if field.required]


REQUESTS = Requests(frozenset(CURRENCIES))
BODIES: dict[str, Callable[[Request], object]] = {
    "TransferRequest": REQUESTS.transfer,
    "WalletRequest": REQUESTS.wallet,
    "CashRequest": REQUESTS.cash,
    "StatusRequest": requests.frozen,
}


@pytest.mark.parametrize("schema", BODIES)
def test_example_bodies_are_accepted(schema: str, make_call: Callable[..., Request]) -> None:
    """Every example body matches its schema, and the service accepts it."""
    bodies = [
        example["value"]
        for operation in operations(DOCUMENT).values()
        if "requestBody" in operation
        for content in operation["requestBody"]["content"].values()
        if content["schema"]["$ref"].endswith(f"/{schema}")
        for example in content["examples"].values()
    ]
    assert bodies
    for body in bodies:
        assert fits(schema, body)
        BODIES[schema](make_call(json.dumps(body).encode(), params={"accountId": "user1"}))


@pytest.mark.parametrize("document", [DOCUMENT, WITH_POSITIONS], ids=["saga", "cqrs"])
def test_links_lead_from_creation_to_use(document: dict[str, Any]) -> None:
    """Each operation that creates something links to the operations that take its id."""
    created = {"openWallet", "transfer", "deposit", "withdraw"}
    for name, operation in operations(document).items():
        links = [
            link for answer in operation["responses"].values() for link in answer.get("links", {}).values()
        ]
        assert bool(links) == (name in created)
        for link in links:
            assert link["parameters"].keys() <= parameters(document, link["operationId"])


@pytest.mark.parametrize("schema", BODIES)
def test_examples_are_accepted(schema: str, make_call: Callable[..., Request]) -> None:
    """The service accepts a body built from the published examples of the members."""
    members = DOCUMENT["components"]["schemas"][schema]["properties"]
    body = {name: member.get("examples", member.get("enum"))[0] for name, member in members.items()}
    assert fits(schema, body)
    BODIES[schema](make_call(json.dumps(body).encode(), params={"accountId": "user1"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": None},
        {"amount": 10**13},
        {"amount": "0"},
        {"amount": "0.000"},
        {"amount": "1.1234567"},
        {"amount": "9223372036854.775808"},
        {"amount": 1.1234567},
        {"fromAccount": "@external"},
        {"fromAccount": "balanceTransfer"},
        {"currency": "CHF"},
        {"fromAccount": ""},
        {"toAccount": "a" * 65},
        {"currency": "usd"},
        {"fee": 1},
    ],
    ids=str,
)
def test_schema_refuses_what_the_service_refuses(
    changes: dict[str, object], make_call: Callable[..., Request]
) -> None:
    """The schema refuses bodies that the service refuses, so that validating clients avoid a 422."""
    body = {"fromAccount": "user1", "toAccount": "user2", "amount": 1, "currency": "USD"} | changes
    assert not fits("TransferRequest", body)
    with pytest.raises(Problem):
        REQUESTS.transfer(make_call(json.dumps(body).encode()))


def parameters(document: dict[str, Any], name: str) -> set[str]:
    """Returns the parameters of an operation."""
    return {reference["$ref"].rsplit("/", 1)[1] for reference in operations(document)[name]["parameters"]}


def test_reads_take_their_queries() -> None:
    """The published query parameters are exactly those that the service reads."""
    assert parameters(DOCUMENT, "balance") == {"accountId", "currency", "at"}
    assert parameters(DOCUMENT, "statement") == {"accountId", "limit", "cursor"}
    assert parameters(DOCUMENT, "lookUpTransfer") == {"transactionId"}


def test_every_post_takes_an_idempotency_key() -> None:
    """All POSTs, and no other operations, accept an Idempotency-Key."""
    keyed = {name for name in OPERATIONS if "Idempotency-Key" in parameters(DOCUMENT, name)}
    assert keyed == {name for name, operation in OPERATIONS.items() if operation.method == "POST"}


def test_only_cqrs_has_positions() -> None:
    """In cqrs every successful write returns a position, and every read can wait for one; the saga has no positions."""
    assert "position" not in json.dumps(DOCUMENT["components"]["schemas"])
    for name, (method, _) in OPERATIONS.items():
        assert ("min_position" in parameters(WITH_POSITIONS, name)) == (method == "GET")
        assert "min_position" not in parameters(DOCUMENT, name)
        for status, response in operations(WITH_POSITIONS)[name]["responses"].items():
            if int(status) < 300:
                schema = response["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                assert "position" in WITH_POSITIONS["components"]["schemas"][schema]["required"]


def test_document_of_one_architecture_does_not_change_the_other() -> None:
    """Building the document with positions does not change the document without them."""
    assert openapi("Saga", CURRENCIES) == DOCUMENT


def test_keys_are_optional_and_health_needs_none() -> None:
    """The document declares API keys as optional, because a setting decides whether they are required."""
    assert DOCUMENT["security"] == [{}, {"apiKey": []}]
    assert DOCUMENT["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    assert DOCUMENT["paths"]["/readyz"]["get"]["security"] == [{}]
