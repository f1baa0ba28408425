"""A wallet in one file, with Python's standard library and SQLite: an example of a stack that the lab does not know.

One lock and one transaction per request keep the money right. It needs PORT, and DATABASE, the path of its file.
"""

import json
import os
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[Any, ...]
"""HTTP status, document, and the names of headers whose value is "true"."""

EXTERNAL = "@external"
CURRENCIES = {"USD", "EUR", "GBP"}
AMOUNT_MAX = 2**63 - 1
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}")
AMOUNT = re.compile(r"\d+(\.\d+)?")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATUS = {
    "invalid-request": 422,
    "idempotency-key-reused": 422,
    "not-found": 404,
    "wallet-not-found": 404,
    "transfer-not-found": 404,
}
"""The HTTP status of each problem; 409 for the others."""

ADD = """
    UPDATE wallets SET balance = balance + ?, version = version + 1, at = max(at, ?) WHERE account = ? RETURNING *
"""
AT = """
    SELECT ledger.*, currency FROM ledger JOIN wallets USING (account)
    WHERE account = ? AND ledger.at <= ? ORDER BY ledger.version DESC LIMIT 1
"""
SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL; -- an answer is sent only after its transaction is on disk
    CREATE TABLE IF NOT EXISTS wallets (
        account TEXT PRIMARY KEY, currency TEXT, status TEXT, balance INTEGER CHECK (balance >= 0), version INTEGER,
        at INTEGER);
    CREATE TABLE IF NOT EXISTS ledger (
        account TEXT, version INTEGER, kind TEXT, id TEXT, amount INTEGER, balance INTEGER, counterparty TEXT,
        status TEXT, at INTEGER, PRIMARY KEY (account, version));
    CREATE TABLE IF NOT EXISTS transfers (
        id TEXT PRIMARY KEY, kind TEXT, payer TEXT, payee TEXT, amount INTEGER, currency TEXT, reason TEXT,
        at INTEGER, owner TEXT, key TEXT, meaning TEXT, UNIQUE (owner, key));
"""


class Problem(Exception):
    """A request that is invalid or refused without a decision. Its text is the last word of the problem's type."""


class Books:
    """The wallets, their ledger and the transfers."""

    def __init__(self, file: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(SCHEMA)

    def transaction(self, work: Callable[[], Answer]) -> Answer:
        """Do the work in one transaction."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                result = work()
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            return result

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Execute a statement and return its rows."""
        return self._database.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Execute a statement and return its first row."""
        return next(iter(self.rows(sql, *values)), None)

    def wallet(self, account: str) -> sqlite3.Row | None:
        """Return a wallet."""
        return self.row("SELECT * FROM wallets WHERE account = ?", account)

    def move(
        self, kind: str, payer: str, payee: str, amount: int, currency: str, key: str | None
    ) -> tuple[sqlite3.Row, bool]:
        """Move money once per key. Returns the transfer, and whether an earlier request had made it."""
        owner = payee if payer == EXTERNAL else payer
        meaning = f"{kind} {payee if kind == 'transfer' else ''} {amount} {currency}"
        first = key and self.row("SELECT * FROM transfers WHERE owner = ? AND key = ?", owner, key)
        if first and first["meaning"] != meaning:
            raise Problem("idempotency-key-reused")
        if first:
            return first, True
        transaction_id, at = str(uuid.uuid4()), time.time_ns() // 1000
        reason = self._refusal(kind, payer, payee, amount, currency)
        sql = "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *"
        made = (transaction_id, kind, payer, payee, amount, currency, reason, at, owner, key, meaning)
        transfer = self.row(sql, *made)
        assert transfer is not None
        if reason is None:
            if kind == "opening":
                self.rows("INSERT INTO wallets VALUES (?, ?, 'active', 0, 0, 0)", payee, currency)
            self._post(payer, kind, -amount, transaction_id, payee, at)
            self._post(payee, kind, amount, transaction_id, payer, at)
        return transfer, False

    def _refusal(self, kind: str, payer: str, payee: str, amount: int, currency: str) -> str | None:
        if kind == "opening":
            return "wallet-exists" if self.wallet(payee) else None
        reasons = (
            self._refusal_of(account, amount, currency, is_payer=account == payer)
            for account in (payer, payee)
            if account != EXTERNAL
        )
        return next(filter(None, reasons), None)

    def _refusal_of(self, account: str, amount: int, currency: str, *, is_payer: bool) -> str | None:
        wallet = self.wallet(account)
        if wallet is None:
            return "wallet-not-found"
        if wallet["status"] != "active":
            return f"wallet-{wallet['status']}"
        if wallet["currency"] != currency:
            return "currency-mismatch"
        if is_payer:
            return "insufficient-funds" if wallet["balance"] < amount else None
        return "balance-limit" if wallet["balance"] + amount > AMOUNT_MAX else None

    def _post(
        self, account: str, kind: str, amount: int, transaction_id: str | None, other: str | None, at: int
    ) -> None:
        if account == EXTERNAL:
            return
        wallet = self.row(ADD, amount, at, account)
        assert wallet is not None
        entry = (
            account,
            wallet["version"],
            kind,
            transaction_id,
            amount,
            wallet["balance"],
            other,
            wallet["status"],
            wallet["at"],
        )
        self.rows("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *entry)

    def change_status(self, account: str, status: str) -> sqlite3.Row:
        """Freeze, unfreeze or close a wallet."""
        wallet = self.wallet(account)
        if wallet is None:
            raise Problem("wallet-not-found")
        if wallet["status"] == "closed" and status != "closed":
            raise Problem("wallet-closed")
        if status == "closed" and wallet["balance"]:
            raise Problem("wallet-not-empty")
        if wallet["status"] != status:
            self.rows("UPDATE wallets SET status = ? WHERE account = ?", status, account)
            kind = "unfrozen" if status == "active" else status
            self._post(account, kind, 0, None, None, time.time_ns() // 1000)
        changed = self.wallet(account)
        assert changed is not None
        return changed


class Handler(BaseHTTPRequestHandler):
    """Parses requests and writes answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one packet per answer
    books: Books

    def do_GET(self) -> None:
        """Answer a read."""
        self._handle("GET")

    def do_POST(self) -> None:
        """Answer a request to move money or to open a wallet."""
        self._handle("POST")

    def do_PUT(self) -> None:
        """Answer a change of a status."""
        self._handle("PUT")

    def do_DELETE(self) -> None:
        """Answer a request to close a wallet."""
        self._handle("DELETE")

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _handle(self, method: str) -> None:
        url = urlsplit(self.path)
        try:
            self._sent = self._body()
            self._query = {name: values[0] for name, values in parse_qs(url.query).items()}
            for route_method, pattern, work in ROUTES:
                found = re.fullmatch(pattern, url.path)
                if found and route_method == method:
                    answer = self.books.transaction(partial(work, self, *found.groups()))
                    status, document, *headers = answer
                    self._answer(status, document, headers)
                    return
            raise Problem("not-found")
        except Problem as problem:
            self._answer(*self._problem(str(problem)), [])
        except (ValueError, ArithmeticError, TypeError, KeyError) as error:
            self._answer(*self._problem("invalid-request", repr(error)), [])

    def _body(self) -> dict[str, Any]:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return json.loads(text, parse_float=Decimal, parse_int=Decimal) if text else {}

    def _problem(self, name: str, detail: str = "", **more: str) -> tuple[int, dict[str, Any]]:
        status = STATUS.get(name, 409)
        document = {"type": f"/problems/{name}", "title": name, "status": status, "detail": detail or name}
        return status, {**document, "instance": urlsplit(self.path).path, **more}

    def _answer(self, status: int, document: dict[str, Any], true_headers: list[str]) -> None:
        text = re.sub(r'"~([0-9.-]+)"', r"\1", json.dumps(document)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(text)))
        for name in true_headers:
            self.send_header(name, "true")
        self.end_headers()
        self.wfile.write(text)

    def _money(self, name: str, least: int = 1) -> int:
        written = self._sent[name]
        if not isinstance(written, Decimal) and not AMOUNT.fullmatch(written):
            raise Problem("invalid-request")
        micros = Decimal(written) * 1_000_000
        if micros != int(micros) or not least <= micros <= AMOUNT_MAX:
            raise Problem("invalid-request")
        return int(micros)

    def _account(self, account: str) -> str:
        if not ACCOUNT.fullmatch(account):
            raise Problem("invalid-request")
        return account

    def _move(self, kind: str, payer: str, payee: str, amount: int) -> tuple[sqlite3.Row, list[str]]:
        currency, key = self._sent["currency"], self.headers.get("Idempotency-Key")
        if currency not in CURRENCIES or payer == payee:
            raise Problem("invalid-request")
        transfer, replayed = self.books.move(kind, payer, payee, amount, currency, key)
        return transfer, ["Idempotent-Replayed"] if replayed else []

    def transfer(self) -> Answer:
        """POST /wallets/balanceTransfer."""
        payer, payee = self._account(self._sent["fromAccount"]), self._account(self._sent["toAccount"])
        return self._moved(*self._move("transfer", payer, payee, self._money("amount")))

    def deposit(self, account: str) -> Answer:
        """POST /wallets/{accountId}/deposits."""
        return self._moved(*self._move("deposit", EXTERNAL, account, self._money("amount")))

    def withdraw(self, account: str) -> Answer:
        """POST /wallets/{accountId}/withdrawals."""
        return self._moved(*self._move("withdrawal", account, EXTERNAL, self._money("amount")))

    def _moved(self, transfer: sqlite3.Row, headers: list[str]) -> Answer:
        if transfer["reason"]:  # a decision: it is answered and not raised, so that its transaction commits
            return *self._problem(transfer["reason"], transactionId=transfer["id"]), *headers
        return 201, {"status": "success", "transactionId": transfer["id"]}, *headers

    def open_wallet(self) -> Answer:
        """POST /wallets."""
        amount = self._money("balance", 0) if "balance" in self._sent else 0
        made, headers = self._move("opening", EXTERNAL, self._account(self._sent["accountId"]), amount)
        if made["reason"]:
            return self._moved(made, headers)
        opened = {"account": made["payee"], "currency": made["currency"], "status": "active", "version": 1}
        return (
            201,
            {**shown({**opened, "balance": made["amount"], "at": made["at"]}), "transactionId": made["id"]},
            *headers,
        )

    def change_status(self, account: str) -> Answer:
        """PUT /wallets/{accountId}."""
        if self._sent["status"] not in {"active", "frozen"}:
            raise Problem("invalid-request")
        return 200, shown(self.books.change_status(account, self._sent["status"]))

    def close_wallet(self, account: str) -> Answer:
        """DELETE /wallets/{accountId}."""
        return 200, shown(self.books.change_status(account, "closed"))

    def balance(self, account: str) -> Answer:
        """GET /wallets/{accountId}/balance."""
        wallet = self.books.wallet(account)
        if wallet and "at" in self._query:
            at = (datetime.fromisoformat(self._query["at"]) - EPOCH) // timedelta(microseconds=1)
            wallet = self.books.row(AT, account, at)
        if wallet is None:
            raise Problem("wallet-not-found")
        if self._query.get("currency", wallet["currency"]) != wallet["currency"]:
            raise Problem("currency-mismatch")
        return 200, shown(wallet)

    def statement(self, account: str) -> Answer:
        """GET /wallets/{accountId}/transactions."""
        if self.books.wallet(account) is None:
            raise Problem("wallet-not-found")
        limit, before = int(self._query.get("limit", 50)), int(self._query.get("cursor", AMOUNT_MAX))
        sql = "SELECT * FROM ledger WHERE account = ? AND version < ? AND amount <> 0 ORDER BY version DESC LIMIT ?"
        found = self.books.rows(sql, account, before, limit + 1)
        more = str(found[limit - 1]["version"]) if len(found) > limit else None
        return 200, {"items": list(map(item, found[:limit])), "nextCursor": more}

    def look_up(self, transaction_id: str) -> Answer:
        """GET /transfers/{transactionId}."""
        found = self.books.row("SELECT * FROM transfers WHERE id = ?", transaction_id)
        if found is None:
            raise Problem("transfer-not-found")
        reason = {"reason": f"/problems/{found['reason']}"} if found["reason"] else {}
        parties = {
            "fromAccount": found["payer"],
            "toAccount": found["payee"],
            "amount": money(found["amount"]),
        }
        step = {"step": found["kind"], "at": moment(found["at"]), **reason}
        status = "refused" if reason else "success"
        return 200, {
            "transactionId": transaction_id,
            "status": status,
            **parties,
            "currency": found["currency"],
            "timeline": [step],
            **reason,
        }

    def ready(self) -> Answer:
        """GET /livez and /readyz."""
        return 200, {"status": "ready"}


def shown(wallet: sqlite3.Row | dict[str, Any]) -> dict[str, Any]:
    """Return a wallet as the contract writes it."""
    document = {"accountId": wallet["account"], "currency": wallet["currency"], "status": wallet["status"]}
    return {
        **document,
        "balance": money(wallet["balance"]),
        "version": wallet["version"],
        "lastUpdated": moment(wallet["at"]),
    }


def item(entry: sqlite3.Row) -> dict[str, Any]:
    """Return a posting as a statement lists it."""
    amounts = {
        "amount": money(entry["amount"]),
        "balance": money(entry["balance"]),
        "version": entry["version"],
    }
    return {
        "transactionId": entry["id"],
        "kind": entry["kind"],
        **amounts,
        "counterparty": entry["counterparty"],
        "at": moment(entry["at"]),
    }


def money(micros: int) -> str:
    """Return an exact number; `_answer` removes the mark and the quotes."""
    return f"~{Decimal(micros).scaleb(-6).normalize():f}"


def moment(at_us: int) -> str:
    """Return an RFC 3339 time."""
    return (EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", "/wallets", Handler.open_wallet),
    ("POST", "/wallets/balanceTransfer", Handler.transfer),
    ("POST", "/wallets/([^/]+)/deposits", Handler.deposit),
    ("POST", "/wallets/([^/]+)/withdrawals", Handler.withdraw),
    ("PUT", "/wallets/([^/]+)", Handler.change_status),
    ("DELETE", "/wallets/([^/]+)", Handler.close_wallet),
    ("GET", "/wallets/([^/]+)/balance", Handler.balance),
    ("GET", "/wallets/([^/]+)/transactions", Handler.statement),
    ("GET", "/transfers/([^/]+)", Handler.look_up),
    ("GET", "/livez|/readyz", Handler.ready),
]


class Server(ThreadingHTTPServer):
    """One thread per connection."""

    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    Handler.books = Books(os.environ["DATABASE"])
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
