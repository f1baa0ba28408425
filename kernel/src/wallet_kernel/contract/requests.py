"""Parses requests into values for the use cases. All validation of a request is here."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONDecoder
from typing import TypeVar
from uuid import UUID

from msgspec import DecodeError, Raw, Struct, ValidationError
from msgspec.json import Decoder

from wallet_kernel.contract.problems import Problem, invalid_request
from wallet_kernel.http import Request
from wallet_kernel.idempotency import InvalidKey, parse_key
from wallet_kernel.money import InvalidAmount, parse_amount, parse_balance

ACCOUNT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"
RESERVED_ACCOUNT = "balanceTransfer"
"""An account name that no wallet may have, because POST /wallets/balanceTransfer is the transfer."""
CURSOR_PATTERN = r"^v[1-9][0-9]{0,17}$"
TRANSACTION_ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
POSITION_MAX = 10**18 - 1
STATEMENT_LIMIT_DEFAULT = 50
STATEMENT_LIMIT_MAX = 500

_ACCOUNT = re.compile(ACCOUNT_PATTERN[1:-1])
_CURSOR = re.compile(CURSOR_PATTERN[1:-1])
_TRANSACTION_ID = re.compile(TRANSACTION_ID_PATTERN[1:-1])
_DIGITS = re.compile(r"[0-9]{1,9}")
_POSITION = re.compile(r"[0-9]{1,18}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_FRACTION = re.compile(r"\.(\d+)")

Body = TypeVar("Body")


class _TransferBody(Struct, forbid_unknown_fields=True):
    fromAccount: str
    toAccount: str
    amount: Raw
    currency: str


class _WalletBody(Struct, forbid_unknown_fields=True):
    accountId: str
    currency: str
    balance: Raw = Raw(b"0")


class _CashBody(Struct, forbid_unknown_fields=True):
    amount: Raw
    currency: str


class _StatusBody(Struct, forbid_unknown_fields=True):
    status: str


_TRANSFER = Decoder(_TransferBody)
_WALLET = Decoder(_WalletBody)
_CASH = Decoder(_CashBody)
_STATUS = Decoder(_StatusBody)


class TransferRequest(Struct, frozen=True):
    """A request to move money from one wallet to another."""

    from_account: str
    to_account: str
    amount_micros: int
    currency: str


class WalletRequest(Struct, frozen=True):
    """A request to open a wallet. Its opening balance comes from the external account."""

    account_id: str
    currency: str
    balance_micros: int


class CashRequest(Struct, frozen=True):
    """A request for a deposit from, or a withdrawal to, the external account."""

    account_id: str
    amount_micros: int
    currency: str


class StatementRequest(Struct, frozen=True):
    """A request for a page of a wallet's postings below `before_version` (None: from the newest)."""

    account_id: str
    limit: int
    before_version: int | None


class Requests:
    """The parsers of requests with currencies, for the currencies of this installation. All of them raise Problem."""

    def __init__(self, currencies: frozenset[str]) -> None:
        self._currencies = currencies

    def transfer(self, request: Request) -> TransferRequest:
        """Parses POST /wallets/balanceTransfer."""
        body = _json(request, _TRANSFER)
        payer, payee = account_id(body.fromAccount, "fromAccount"), account_id(body.toAccount, "toAccount")
        if payer == payee:
            raise invalid_request("fromAccount and toAccount are the same wallet.")
        return TransferRequest(payer, payee, _money(parse_amount, body.amount), self.currency(body.currency))

    def wallet(self, request: Request) -> WalletRequest:
        """Parses POST /wallets."""
        body = _json(request, _WALLET)
        name = account_id(body.accountId, "accountId")
        return WalletRequest(
            name, self.currency(body.currency), _money(parse_balance, body.balance, "balance")
        )

    def cash(self, request: Request) -> CashRequest:
        """Parses POST /wallets/{accountId}/deposits and /withdrawals."""
        body = _json(request, _CASH)
        return CashRequest(
            path_account(request), _money(parse_amount, body.amount), self.currency(body.currency)
        )

    def currency(self, code: str) -> str:
        """Returns the currency code if this installation has it."""
        if code not in self._currencies:
            raise invalid_request(f"currency must be one of {', '.join(sorted(self._currencies))}.")
        return code

    def query_currency(self, request: Request) -> str | None:
        """Returns `?currency=`, or None."""
        code = request.query.get("currency")
        return None if code is None else self.currency(code)


def frozen(request: Request) -> bool:
    """Parses PUT /wallets/{accountId}. Returns True for frozen, False for active."""
    status = _json(request, _STATUS).status
    if status not in ("active", "frozen"):
        raise invalid_request('status must be "active" or "frozen".')
    return status == "frozen"


def path_account(request: Request) -> str:
    """Returns the accountId of the path."""
    return account_id(request.params["accountId"], "accountId")


def account_id(text: str, member: str) -> str:
    """Returns a well-formed account name. Names that begin with @ belong to the system and are refused."""
    if _ACCOUNT.fullmatch(text) is None:
        raise invalid_request(
            f"{member} must be 1 to 64 of the characters A-Z a-z 0-9 . _ : @ - and begin with a letter or digit."
        )
    if text == RESERVED_ACCOUNT:
        raise invalid_request(f"{member} must not be {RESERVED_ACCOUNT}: this name is reserved.")
    return text


def transaction_id(request: Request) -> UUID:
    """Returns the transactionId of the path. Raises a 404 problem unless it is spelled exactly as in an answer."""
    text = request.params["transactionId"]
    if _TRANSACTION_ID.fullmatch(text) is None:
        raise Problem("transfer-not-found", "No transfer has this id. Ids are UUIDs in lower case.")
    return UUID(text)


def statement(request: Request) -> StatementRequest:
    """Parses GET /wallets/{accountId}/transactions?limit&cursor."""
    limit = request.query.get("limit", str(STATEMENT_LIMIT_DEFAULT))
    if not _DIGITS.fullmatch(limit) or not 1 <= int(limit) <= STATEMENT_LIMIT_MAX:
        raise invalid_request(f"limit must be a whole number from 1 to {STATEMENT_LIMIT_MAX}.")
    cursor = request.query.get("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise invalid_request("cursor must be the nextCursor of an earlier page.")
    return StatementRequest(path_account(request), int(limit), int(cursor[1:]) if cursor else None)


def moment(request: Request) -> datetime | None:
    """Returns `?at=` in UTC, cut to microseconds, or None."""
    text = request.query.get("at")
    if text is None:
        return None
    # The "+" of a zone arrives as a space if the client did not percent-encode it.
    text = re.sub(r" (?=\d\d:\d\d$)", "+", text)
    if not _MOMENT.fullmatch(text):
        raise invalid_request("at must be an RFC 3339 time with its zone, such as 2026-01-31T12:00:00.5Z.")
    try:
        return datetime.fromisoformat(_FRACTION.sub(lambda m: f".{m[1][:6]:0<6}", text.upper())).astimezone(
            UTC
        )
    except (ValueError, OverflowError) as error:
        raise invalid_request(f"at is not a time: {error}.") from error


def min_position(request: Request) -> int:
    """Returns `?min_position=` (cqrs), the log position that the answer must reflect. The default, 0, always holds."""
    text = request.query.get("min_position")
    if text is None:
        return 0
    if not _POSITION.fullmatch(text):
        raise invalid_request("min_position must be a position that an earlier answer gave: a whole number.")
    return int(text)


def idempotency_key(request: Request) -> str | None:
    """Returns the Idempotency-Key, or None."""
    try:
        return parse_key(request.header(b"idempotency-key"))
    except InvalidKey as error:
        raise invalid_request(f"Idempotency-Key: {error}") from error


def _json(request: Request, decoder: Decoder[Body]) -> Body:
    content_type = request.header(b"content-type") or b""
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem("unsupported-media-type", "Send the body as Content-Type: application/json.")
    try:
        body = decoder.decode(request.body)
        _STRICT.decode(request.body.decode())
        return body
    except (ValidationError, DecodeError, UnicodeDecodeError) as error:
        raise invalid_request(f"The body does not fit: {error}.") from error
    except RecursionError as error:
        raise invalid_request("The body is nested too deeply.") from error


def _refuse_repeated(members: list[tuple[str, object]]) -> None:
    """Refuses repeated members, because RFC 8259 §4 leaves open which of them counts."""
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise invalid_request(f"The body has the member {repeated} more than once.")


# msgspec takes the last of repeated members, so this decoder parses again. It costs 2 µs and parses no numbers.
_STRICT = JSONDecoder(object_pairs_hook=_refuse_repeated, parse_float=str, parse_int=str)


def _money(parse: Callable[[bytes], int], raw: Raw, member: str = "amount") -> int:
    try:
        return parse(bytes(raw))
    except InvalidAmount as error:
        raise invalid_request(f"{member} {error}.") from error
