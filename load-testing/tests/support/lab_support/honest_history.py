"""Makes random honest histories: the requests and responses of clients, and the relations of the books that follow.

A small discrete simulation in plain Python. It shares no code with the architectures or with the checker. Clients send
one call after another. Every write can be lost, answered late, answered without an outcome, rejected, or repeated.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from random import Random
from typing import Any, Literal
from uuid import UUID

from wallet_lab.checker.check import slot_of
from wallet_lab.checker.schema import RELATIONS

Row = dict[str, Any]
Relations = dict[str, list[Row]]
Architecture = Literal["saga", "cqrs"]

BEGAN_US = 1_700_000_000_000_000
SHARDS = 2
_STORED = "shard currency status updated_us"
EPOCH = "00000000-0000-8000-8000-0000000000aa"
SETTINGS = {
    "postgres": {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "unlogged tables": "0",
    },
    "cache": {"save": "", "appendonly": "no", "other keys": "0"},
    "broker": {"queue type": "quorum", "queue durable": "true"},
}


@dataclass
class Wallet:
    """A wallet of the simulation."""

    account: str
    currency: str
    status: str = "active"
    balance: int = 0
    in_flight: int = 0
    entries: list[Row] = field(default_factory=list)

    @property
    def updated_us(self) -> int:
        """The time of the last entry."""
        return int(self.entries[-1]["at_us"]) if self.entries else 0


class History:
    """One simulated run. `relations` holds its evidence after `finish`."""

    def __init__(self, seed: int, architecture: Architecture, *, calls: int = 120, clients: int = 5) -> None:
        self.random = Random(seed)
        self.architecture = architecture
        self.calls_max = calls
        self.clients = [f"client-{n}" for n in range(clients)]
        self.now_us = BEGAN_US - 5_000_000
        self.wallets: dict[str, Wallet] = {}
        self.transfers: dict[str, Row] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.credits: list[Row] = []
        self.has_local_transfers = architecture == "saga"
        self.log: list[Row] = []
        self.calls: list[Row] = []
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.ids = 0
        self.seeded: list[Row] = []
        self.decided = 0
        self.first_position = 0
        self.answered_ids: list[str] = []
        self.answered_position: dict[str, int] = {}
        self.relations: Relations = {relation.name: [] for relation in RELATIONS}

    def simulated(self) -> "History":
        """Simulate all calls; returns this history."""
        for n in range(5):
            self._open_now(f"w{n}", "USD" if n else "EUR", self.random.randrange(0, 60) * 1_000_000)
        self._open_now("frozen", "USD", 0)
        self.change_status(self.wallets["frozen"], "frozen", "frozen")
        self.seeded = [self._baseline(wallet) for wallet in self.wallets.values()]
        self.decided = len(self.transfers)
        self.first_position = len(self.log)  # readers have seen the seeded wallets before the first call
        self.now_us = BEGAN_US + 1000
        for client in self.clients:
            self._at(self.now_us + self.random.randrange(5000), lambda client=client: self._act(client))  # type: ignore[misc]
        while self.queue:
            self.now_us, _, action = heapq.heappop(self.queue)
            action()
        return self

    def evidence(self) -> Relations:
        """Return the relations that follow from the wallets, the log, the transfers and the calls."""
        self._finish()
        return self.relations

    # The clients -----------------------------------------------------------------------------------------------------

    def _act(self, client: str) -> None:
        if len(self.calls) >= self.calls_max:
            return
        operation = self.random.choices(
            [
                "transfer",
                "deposit",
                "withdraw",
                "open",
                "freeze",
                "unfreeze",
                "close",
                "balance",
                "balance_at",
                "statement",
                "lookup",
            ],
            [40, 8, 8, 4, 3, 4, 2, 16, 4, 6, 5],
        )[0]
        getattr(self, f"_{operation}")(client)

    def _call(self, client: str, operation: str, account: str, **sent: Any) -> Row:
        empty: Row = {
            column.name: None
            for relation in RELATIONS
            if relation.name == "calls"
            for column in relation.columns
        }
        call = (
            empty
            | {
                "call_id": len(self.calls) + 1,
                "load": "load",
                "client": client,
                "operation": operation,
                "account": account,
                "sent_us": self.now_us,
                "answered_us": self.now_us,
                "status": 0,
                "may_be_resent": False,
                "replayed": False,
            }
            | sent
        )
        self.calls.append(call)
        return call

    def answer(self, call: Row, after_us: int, **answer: Any) -> None:
        """Answer a call, or lose its answer. The client then sends its next call, or repeats this one."""
        if call["answered_us"] > call["sent_us"]:
            return  # the client has given up, or has its answer
        call.update(answer)
        call["answered_us"] = self.now_us + after_us
        if answer.get("transaction_id"):
            self.answered_ids.append(answer["transaction_id"])
        self._next(call)

    def _next(self, call: Row) -> None:
        may_repeat = call["key"] is not None and len(self.calls) < self.calls_max
        repeat = may_repeat and self.random.random() < (0.7 if call["status"] in {0, 202, 503} else 0.1)
        self._at(
            call["answered_us"] + self.random.randrange(1, 3000),
            (lambda: self._repeat(call)) if repeat else (lambda: self._act(call["client"])),
        )

    def _repeat(self, call: Row) -> None:
        altered = self.random.random() < 0.15
        again = self._call(
            call["client"],
            call["operation"],
            call["account"],
            **{name: call[name] for name in ("counterparty", "amount_micros", "currency", "key")},
        )
        if altered:
            again["amount_micros"] += 1
        self._send(again)

    def _send(self, call: Row) -> None:
        """Send a write. It may be lost, rejected, or answered with nothing after a timeout."""
        fate = self.random.random()
        delay_us = self.random.randrange(500, 20_000)
        if fate < 0.04:
            self._at(self.now_us + delay_us, lambda: self.answer(call, 100, status=503, problem="overloaded"))
        elif fate < 0.08:
            self._at(self.now_us + 30_000, lambda: self.answer(call, 0, status=0))
        else:
            if fate < 0.16:
                self._at(
                    self.now_us + self.random.randrange(100, 15_000), lambda: self.answer(call, 0, status=0)
                )
            elif fate < 0.2:
                self._at(
                    self.now_us + self.random.randrange(100, 15_000),
                    lambda: self.answer(call, 0, status=503, problem="outcome-unknown"),
                )
            self._at(self.now_us + delay_us, lambda: self.arrive(call))

    def _key(self) -> str | None:
        self.ids += 1
        return f"key-{self.ids}" if self.random.random() < 0.75 else None

    def _any(self) -> str:
        return self.random.choice([*self.wallets, "nobody"])

    def _currency(self, account: str) -> str:
        known = self.wallets[account].currency if account in self.wallets else "USD"
        return known if self.random.random() < 0.95 else "GBP"

    def _amount(self) -> int:
        return self.random.choice([10_000, 1_000_000, 7_000_000, 1, 123_456])

    def _transfer(self, client: str) -> None:
        payer = self._any()
        payee = self.random.choice([name for name in [*self.wallets, "nobody"] if name != payer])
        self._send(
            self._call(
                client,
                "transfer",
                payer,
                counterparty=payee,
                amount_micros=self._amount(),
                currency=self._currency(payer),
                key=self._key(),
            )
        )

    def _deposit(self, client: str) -> None:
        self._money(client, "deposit")

    def _withdraw(self, client: str) -> None:
        self._money(client, "withdraw")

    def _money(self, client: str, operation: str) -> None:
        account = self._any()
        self._send(
            self._call(
                client,
                operation,
                account,
                amount_micros=self._amount(),
                currency=self._currency(account),
                key=self._key(),
            )
        )

    def _open(self, client: str) -> None:
        account = self.random.choice(["w1", f"new-{len(self.calls)}", "new-again"])
        self._send(
            self._call(
                client,
                "open",
                account,
                amount_micros=self.random.choice([0, 5_000_000]),
                currency="USD",
                key=self._key(),
            )
        )

    def _freeze(self, client: str) -> None:
        self._send(self._call(client, "freeze", self._any()))

    def _unfreeze(self, client: str) -> None:
        self._send(self._call(client, "unfreeze", self._any()))

    def _close(self, client: str) -> None:
        self._send(self._call(client, "close", self._any()))

    def _balance(self, client: str) -> None:
        position = self.answered_position.get(client) if self.is_cqrs and self.random.random() < 0.5 else None
        self._read(self._call(client, "balance", self._any(), min_position=position), self._answer_balance)

    def _balance_at(self, client: str) -> None:
        moment = self.random.randrange(BEGAN_US - 6_000_000, self.now_us)
        self._read(self._call(client, "balance_at", self._any(), at_asked_us=moment), self._answer_past)

    def _statement(self, client: str) -> None:
        limit = self.random.choice([1, 2, 5, None])
        self._read(self._call(client, "statement", self._any(), limit_asked=limit), self._answer_page)

    def _lookup(self, client: str) -> None:
        asked = self.random.choice(self.answered_ids) if self.answered_ids else self.new_id("w1")
        self._read(self._call(client, "lookup", "", transaction_id_asked=asked), self._answer_lookup)

    def _read(self, call: Row, answer: Callable[[Row], None]) -> None:
        self._at(self.now_us + self.random.randrange(100, 3000), lambda: answer(call))

    # The answers of reads --------------------------------------------------------------------------------------------

    @property
    def is_cqrs(self) -> bool:
        return self.architecture == "cqrs"

    def _answer_balance(self, call: Row) -> None:
        wallet, position = self.wallets.get(call["account"]), None
        entries = wallet.entries if wallet else []
        if self.is_cqrs:
            newest = len(self.log) - self.random.randrange(4)
            position = max(call["min_position"] or 0, newest, self.first_position)
            entries = [entry for entry in entries if entry["position"] <= position]
        self.answer_wallet(call, wallet, entries, position=position)

    def _answer_past(self, call: Row) -> None:
        wallet = self.wallets.get(call["account"])
        entries = [e for e in wallet.entries if e["at_us"] <= call["at_asked_us"]] if wallet else []
        self.answer_wallet(call, wallet, entries, position=len(self.log) if self.is_cqrs else None)

    def answer_wallet(self, call: Row, wallet: Wallet | None, entries: Sequence[Row], **more: Any) -> None:
        if wallet is None or not entries:
            self.answer(call, self.random.randrange(100, 2000), status=404, problem="wallet-not-found")
        else:
            self.answer(call, self.random.randrange(100, 2000), status=200, **_shown(wallet, entries), **more)

    def _answer_page(self, call: Row) -> None:
        wallet = self.wallets.get(call["account"])
        if wallet is None:
            self.answer(call, 100, status=404, problem="wallet-not-found")
            return
        below = int(call["cursor"][1:]) if call["cursor"] else 10**12
        listable = [e for e in reversed(wallet.entries) if e["amount_micros"] and e["version"] < below]
        size = call["limit_asked"] or 50
        page, more = listable[:size], len(listable) > size
        cursor = f"v{page[-1]['version']}" if more else None
        body = json.dumps({"items": [_item(entry) for entry in page], "nextCursor": cursor})
        self.answer(
            call, self.random.randrange(100, 2000), status=200, body=body.replace('"#', "").replace('#"', "")
        )

    def _answer_lookup(self, call: Row) -> None:
        found = self.transfers.get(call["transaction_id_asked"])
        if found is None:
            self.answer(call, 100, status=404, problem="transfer-not-found")
            return
        credited = any(
            credit["transaction_id"] == found["transaction_id"] and not credit["reason"]
            for credit in self.credits
        )
        status = (
            "refused"
            if found["reason"]
            else "success"
            if found["state"] == "completed" or credited
            else "pending"
        )
        body = {
            "transactionId": found["transaction_id"],
            "status": status,
            "fromAccount": found["payer"],
            "toAccount": found["payee"],
            "amount": _money(found["amount_micros"]),
            "currency": found["currency"],
            "timeline": [
                {"step": step, "at": _moment(at_us)} | ({"reason": f"/problems/{reason}"} if reason else {})
                for step, at_us, reason in self._timeline(found)
            ],
        } | ({"reason": f"/problems/{found['reason']}"} if found["reason"] else {})
        self.answer(call, 100, status=200, body=json.dumps(body).replace('"#', "").replace('#"', ""))

    def _timeline(self, transfer: Row) -> Iterator[tuple[str, int, str | None]]:
        """The steps of a transfer so far, in the words of the architecture."""
        kind, started_us, reason = transfer["kind"], transfer["started_us"], transfer["reason"]
        if transfer["state"] == "refused":
            yield (
                f"{'debit' if kind == 'transfer' and not self.is_cqrs else kind} refused",
                started_us,
                reason,
            )
        elif self.is_cqrs:
            for entry in self.log:
                if entry["transaction_id"] == transfer["transaction_id"]:
                    yield _event(entry), entry["at_us"], None
        else:
            yield "debit" if kind == "transfer" else kind, started_us, None
            barred = [c for c in self.credits if c["transaction_id"] == transfer["transaction_id"]]
            for credit in barred:
                step = "credit refused" if credit["reason"] else "credit"
                yield step, credit["at_us"], credit["reason"]
            if kind == "transfer" and transfer["state"] == "completed" and not barred:
                yield "credit", started_us, None
            if kind == "transfer" and transfer["ended_us"]:
                yield "complete" if transfer["state"] == "completed" else "refund", transfer["ended_us"], None

    # The books -------------------------------------------------------------------------------------------------------

    def arrive(self, call: Row) -> None:
        """Decide a write that has reached the service."""
        if call["operation"] in {"freeze", "unfreeze", "close"}:
            self.decide_status(call)
            return
        first = self.keys.get((call["account"], call["key"])) if call["key"] else None
        if first is None:
            self.decide_money(call)
        elif _meaning(self.transfers[first]) != _asked(call):
            self.answer(call, 200, status=422, problem="idempotency-key-reused")
        else:
            self.answer_decided(call, self.transfers[first], replayed=True)

    def decide_status(self, call: Row) -> None:
        wallet, operation = self.wallets.get(call["account"]), call["operation"]
        problem = _refuse_status(wallet, operation)
        if problem or wallet is None:
            status = 404 if problem == "wallet-not-found" else 409
            self.answer(call, 300, status=status, problem=problem)
            return
        target = {"freeze": "frozen", "unfreeze": "active", "close": "closed"}[operation]
        if wallet.status != target:
            kind = {"freeze": "frozen", "unfreeze": "unfrozen", "close": "closed"}[operation]
            self.change_status(wallet, target, kind)
        position = len(self.log) if self.is_cqrs else None
        self.answer(call, 300, status=200, position=position, **_shown(wallet, wallet.entries))

    def decide_money(self, call: Row) -> None:
        transfer = self.record(*_asked(call), key=call["key"])
        payer, payee = self.wallets.get(transfer["payer"]), self.wallets.get(transfer["payee"])
        reason, refused_by = self.refusal(transfer, payer, payee)
        if reason:
            transfer.update(state="refused", reason=reason, ended_us=None if self.is_cqrs else self.now_us)
            if self.is_cqrs:
                transfer.update(refused_by=refused_by, last_position=len(self.log))
            self.answer_decided(call, transfer)
        elif transfer["kind"] == "transfer" and not self.is_cqrs:
            assert payer is not None
            transfer["state"] = "pending"
            payer.in_flight += transfer["amount_micros"]
            self.post(payer, -transfer["amount_micros"], "transfer", transfer, transfer["payee"])
            if self._is_local(transfer):
                self._end_at_once(call, transfer)
                return
            if self.random.random() < 0.1:
                self.answer_decided(call, transfer)
            self._at(self.now_us + self.random.randrange(200, 8000), lambda: self.credit(call, transfer))
        else:
            transfer["state"] = "completed"
            if not self.is_cqrs:
                transfer["ended_us"] = self.now_us
            self.post_both(transfer)
            self.answer_decided(call, transfer)

    def refusal(
        self, transfer: Row, payer: Wallet | None, payee: Wallet | None
    ) -> tuple[str | None, str | None]:
        if transfer["kind"] == "opening":
            return ("wallet-exists", transfer["payee"]) if payee else (None, None)
        if transfer["payer"] != "@external":
            if reason := _refuse_posting(payer, transfer["currency"]):
                return reason, transfer["payer"]
            if payer is not None and payer.balance < transfer["amount_micros"]:
                return "insufficient-funds", transfer["payer"]
        if transfer["payee"] != "@external" and (self.is_cqrs or transfer["kind"] != "transfer"):
            return _refuse_posting(payee, transfer["currency"]), transfer["payee"]
        return None, None

    def credit(self, call: Row, transfer: Row) -> None:
        """The saga's second step, and its third."""
        payee = self.wallets.get(transfer["payee"])
        reason = _refuse_posting(payee, transfer["currency"])
        self._bar(transfer, reason)
        if reason or payee is None:
            self._at(
                self.now_us + self.random.randrange(200, 3000),
                lambda: self.end(transfer, "refunded", call, reason),
            )
            return
        self.post(payee, transfer["amount_micros"], "transfer", transfer, transfer["payer"])
        self.answer_decided(call, transfer | {"state": "completed"})
        self._at(
            self.now_us + self.random.randrange(200, 3000),
            lambda: self.end(transfer, "completed", call, None),
        )

    def _is_local(self, transfer: Row) -> bool:
        """Whether the steps are one transaction. Services of an earlier version decide half of the transfers."""
        return (
            self.has_local_transfers
            and len(self.transfers) % 2 == 0
            and _shard(transfer["payer"]) == _shard(transfer["payee"])
        )

    def _end_at_once(self, call: Row, transfer: Row) -> None:
        """The other steps of a transfer within one shard."""
        payee = self.wallets.get(transfer["payee"])
        reason = _refuse_posting(payee, transfer["currency"])
        if reason or payee is None:
            self._bar(transfer, reason)
            self.end(transfer, "refunded", call, reason)
            return
        self.post(payee, transfer["amount_micros"], "transfer", transfer, transfer["payer"])
        self.end(transfer, "completed", call, None)
        self.answer_decided(call, transfer)

    def _bar(self, transfer: Row, reason: str | None) -> None:
        self.credits.append(
            {
                "shard": _shard(transfer["payee"]),
                "transaction_id": transfer["transaction_id"],
                "reason": reason,
                "at_us": self.now_us,
            }
        )

    def end(self, transfer: Row, state: str, call: Row, reason: str | None) -> None:
        payer = self.wallets[transfer["payer"]]
        payer.in_flight -= transfer["amount_micros"]
        transfer.update(state=state, reason=reason, ended_us=self.now_us)
        if state == "refunded":
            self.post(payer, transfer["amount_micros"], "refund", transfer, transfer["payee"])
            self.answer_decided(call, transfer)

    def answer_decided(self, call: Row, transfer: Row, *, replayed: bool = False) -> None:
        after_us, known = (
            self.random.randrange(100, 4000),
            {"transaction_id": transfer["transaction_id"], "replayed": replayed},
        )
        if transfer["reason"]:
            status = 404 if transfer["reason"] == "wallet-not-found" else 409
            self.answer(call, after_us, status=status, problem=transfer["reason"], **known)
            return
        if self.is_cqrs:
            known["position"] = transfer["last_position"]
            self.answered_position[call["client"]] = transfer["last_position"]
        if transfer["kind"] == "opening":
            wallet = self.wallets[transfer["payee"]]
            self.answer(call, after_us, status=201, **known, **_shown(wallet, wallet.entries[:1]))
            return
        credited = any(
            c["transaction_id"] == transfer["transaction_id"] and not c["reason"] for c in self.credits
        )
        done = transfer["state"] == "completed" or credited
        self.answer(
            call, after_us, status=201 if done else 202, state="success" if done else "pending", **known
        )

    def record(
        self, kind: str, payer: str, payee: str, amount: int, currency: str, *, key: str | None
    ) -> Row:
        owner = payer if kind in {"transfer", "withdrawal"} else payee
        transfer: Row = {
            "shard": None if self.is_cqrs else _shard(owner),
            "transaction_id": self.new_id(owner),
            "kind": kind,
            "payer": payer,
            "payee": payee,
            "amount_micros": amount,
            "currency": currency,
            "state": "pending",
            "reason": None,
            "refused_by": None,
            "owner": owner,
            "key": key,
            "fingerprint": None,
            "started_us": self.now_us,
            "ended_us": None,
            "first_position": None,
            "last_position": None,
        }
        if key is not None:
            self.keys[owner, key] = transfer["transaction_id"]
            words = (kind, *([payee] if kind == "transfer" else []), str(amount), currency)
            transfer["fingerprint"] = blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()
        self.transfers[transfer["transaction_id"]] = transfer
        return transfer

    def post_both(self, transfer: Row) -> None:
        first = len(self.log) + 1
        if transfer["kind"] == "opening":
            self.wallets[transfer["payee"]] = Wallet(transfer["payee"], transfer["currency"])
        if transfer["payer"] != "@external":
            self.post(
                self.wallets[transfer["payer"]],
                -transfer["amount_micros"],
                transfer["kind"],
                transfer,
                transfer["payee"],
            )
        if transfer["payee"] != "@external":
            self.post(
                self.wallets[transfer["payee"]],
                transfer["amount_micros"],
                transfer["kind"],
                transfer,
                transfer["payer"],
            )
        if self.is_cqrs:
            transfer.update(first_position=first, last_position=len(self.log))

    def _open_now(self, account: str, currency: str, balance: int) -> None:
        transfer = self.record("opening", "@external", account, balance, currency, key=None)
        transfer.update(state="completed", ended_us=None if self.is_cqrs else self.now_us)
        self.post_both(transfer)

    def deposit_now(self, wallet: Wallet, amount: int) -> None:
        """Book a whole deposit."""
        self._book_now("deposit", "@external", wallet.account, amount, wallet.currency)

    def transfer_now(self, payer: str, payee: str, amount: int) -> None:
        """Book a whole transfer."""
        self._book_now("transfer", payer, payee, amount, self.wallets[payer].currency)

    def _book_now(self, kind: str, payer: str, payee: str, amount: int, currency: str) -> None:
        transfer = self.record(kind, payer, payee, amount, currency, key=None)
        transfer.update(state="completed", ended_us=None if self.is_cqrs else self.now_us)
        self.post_both(transfer)
        if kind == "transfer" and not self.is_cqrs and _shard(payer) != _shard(payee):
            self._bar(transfer, None)

    def change_status(self, wallet: Wallet, status: str, kind: str) -> None:
        wallet.status = status
        self._enter(wallet, 0, kind, None, None)

    def post(self, wallet: Wallet, amount: int, kind: str, transfer: Row, counterparty: str) -> None:
        wallet.balance += amount
        self._enter(wallet, amount, kind, transfer["transaction_id"], counterparty)

    def _enter(
        self, wallet: Wallet, amount: int, kind: str, transaction_id: str | None, counterparty: str | None
    ) -> None:
        entry: Row = {
            "shard": None if self.is_cqrs else _shard(wallet.account),
            "account": wallet.account,
            "version": len(wallet.entries) + 1,
            "kind": kind,
            "transaction_id": transaction_id,
            "amount_micros": amount,
            "currency": wallet.currency if self.is_cqrs and kind == "opening" else None,
            "counterparty": counterparty,
            "balance_micros": None if self.is_cqrs else wallet.balance,
            "at_us": max(self.now_us, wallet.updated_us),
            "position": len(self.log) + 1 if self.is_cqrs else None,
            "after": wallet.balance,
        }
        wallet.entries.append(entry)
        self.log.append(entry)

    def new_id(self, owner: str) -> str:
        self.ids += 1
        return str(
            UUID(
                int=(self.ids << 80)
                | (8 << 76)
                | (slot_of(owner) << 66)
                | (2 << 62)
                | self.random.getrandbits(62)
            )
        )

    def _at(self, when_us: int, action: Callable[[], None]) -> None:
        self.ids += 1
        heapq.heappush(self.queue, (max(when_us, self.now_us + 1), self.ids, action))

    # The evidence ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _baseline(wallet: Wallet) -> Row:
        return {
            "account": wallet.account,
            "currency": wallet.currency,
            "status": wallet.status,
            "balance_micros": wallet.balance,
            "version": len(wallet.entries),
        }

    def _finish(self) -> None:
        taken_us = self.now_us + 50_000
        servers = [
            "postgres-0",
            "postgres-1",
            "cache-0",
            *(["postgres-events", "broker-0"] if self.is_cqrs else []),
        ]
        self.relations.update(
            run=[
                {
                    "architecture": self.architecture,
                    "reads": "positions" if self.is_cqrs else "fresh",
                    "began_us": BEGAN_US,
                    "taken_us": taken_us,
                    "settled_us": 1000,
                    "clock_skew_us": 2000,
                }
            ],
            calls=self.calls,
            baseline=self.seeded,
            decided=[{"shard": None, "decisions": self.decided}],
            postings=self.log,
            transfers=list(self.transfers.values()),
            credits=self.credits,
            durability=[
                {
                    "kind": server.partition("-")[0],
                    "server": server,
                    "scope": "server",
                    "name": name,
                    "value": value,
                }
                for server in servers
                for name, value in SETTINGS[server.partition("-")[0]].items()
            ],
            topology=list(self._topology()),
            timeline_steps=list(_timeline_steps(is_cqrs=self.is_cqrs)),
        )
        if self.is_cqrs:
            self._finish_cqrs(taken_us)
        else:
            self._finish_saga(taken_us)

    def _finish_saga(self, taken_us: int) -> None:
        self.relations.update(
            holders=[
                _holder("wallets", _STORED + " in_flight_micros", complete=True),
                _holder("cache", "currency status updated_us expires_us") | {"expires_within_us": 1_100_000},
            ],
            wallets=[
                *(
                    self._stored("wallets", wallet) | {"in_flight_micros": 0}
                    for wallet in self.wallets.values()
                ),
                *(
                    self._stored("cache", wallet) | {"shard": None, "expires_us": taken_us}
                    for wallet in list(self.wallets.values())[:3]
                ),
            ],
            system_accounts=list(self._system("books")),
        )

    def _finish_cqrs(self, taken_us: int) -> None:
        head = len(self.log)
        self.relations.update(
            holders=[
                _holder("read model", _STORED, complete=True, lists=True),
                _holder("snapshots", "currency status updated_us", current=False),
                _holder("cache", "currency status updated_us position epoch expires_us")
                | {"may_be_older": True, "expires_within_us": 10_000_000},
            ],
            wallets=[
                *(self._stored("read model", wallet) for wallet in self.wallets.values()),
                *(
                    self._stored("snapshots", wallet, entries=wallet.entries[: len(wallet.entries) // 2])
                    | {"shard": None}
                    for wallet in self.wallets.values()
                    if len(wallet.entries) > 1
                ),
                *(
                    self._stored(
                        "cache", wallet, entries=wallet.entries[: self.random.randint(1, len(wallet.entries))]
                    )
                    | {"shard": None, "expires_us": taken_us + 4_000_000, "epoch": EPOCH}
                    for wallet in list(self.wallets.values())[:3]
                ),
            ],
            listed=[
                {
                    name: entry[name]
                    for name in (
                        "account",
                        "version",
                        "kind",
                        "transaction_id",
                        "amount_micros",
                        "counterparty",
                        "at_us",
                    )
                }
                | {"holder": "read model", "shard": _shard(wallet.account), "balance_micros": balance}
                for wallet in self.wallets.values()
                for entry, balance in _folded(wallet.entries)
                if entry["amount_micros"]
            ],
            system_accounts=list(self._system("read model")),
            positions=[
                {
                    "name": name,
                    "position": head,
                    "epoch": epoch,
                    "stopped": None,
                    "must_be_at_head": name != "relay",
                }
                for name, epoch in [("head", EPOCH), ("relay", None), ("shard 0", EPOCH), ("shard 1", EPOCH)]
            ],
            epochs=[
                {
                    "number": 1,
                    "epoch": EPOCH,
                    "after_position": 0,
                    "reason": "the first",
                    "at_us": BEGAN_US - 9_000_000,
                }
            ],
        )

    def _stored(self, holder: str, wallet: Wallet, entries: Sequence[Row] | None = None) -> Row:
        shown = _shown(wallet, wallet.entries if entries is None else entries)
        return {
            "holder": holder,
            "shard": _shard(wallet.account),
            "account": wallet.account,
            "currency": wallet.currency,
            "status": shown["wallet_status"],
            "balance_micros": shown["balance_micros"],
            "in_flight_micros": None,
            "version": shown["version"],
            "updated_us": shown["updated_us"],
            "epoch": None,
            "expires_us": None,
            "position": (wallet.entries if entries is None else entries)[-1]["position"]
            if holder == "cache"
            else None,
        }

    def _system(self, holder: str) -> Iterable[Row]:
        sums: dict[tuple[int, str, str], int] = {}
        for wallet in self.wallets.values():
            for entry in wallet.entries:
                if entry["amount_micros"]:
                    name = "@external" if entry["counterparty"] == "@external" else "@transit"
                    place = (_shard(wallet.account), name, wallet.currency)
                    sums[place] = sums.get(place, 0) - entry["amount_micros"]
        for (shard, name, currency), micros in sums.items():
            yield {
                "holder": holder,
                "shard": shard,
                "name": name,
                "currency": currency,
                "balance_micros": micros,
            }

    def _topology(self) -> Iterable[Row]:
        databases = [("shard 0", 0), ("shard 1", 1), *([("events", None)] if self.is_cqrs else [])]
        for database, shard in databases:
            for slot in range(1024):
                yield {
                    "database": database,
                    "shard": shard,
                    "shards": SHARDS,
                    "slot": slot,
                    "owner": slot * SHARDS // 1024,
                }


def _shard(account: str) -> int:
    return slot_of(account) * SHARDS // 1024


def _holder(
    name: str, stores: str, *, complete: bool = False, current: bool = True, lists: bool = False
) -> Row:
    return {
        "holder": name,
        "is_complete": complete,
        "is_current": current,
        "may_be_older": False,
        "expires_within_us": None,
        "lists_postings": lists,
        "stores": stores,
    }


def _timeline_steps(*, is_cqrs: bool) -> Iterator[Row]:
    kinds = ("transfer", "opening", "deposit", "withdrawal")
    steps = [("refused", kind, f"{kind} refused") for kind in kinds]
    if is_cqrs:
        steps += [("received", kind, "BalanceCredited") for kind in ("transfer", "deposit")]
        steps += [("paid", kind, "BalanceDebited") for kind in ("transfer", "withdrawal")]
        steps += [("received", "opening", "WalletOpened")]
    else:
        steps[0] = ("refused", "transfer", "debit refused")
        steps += [("started", kind, kind) for kind in kinds[1:]]
        steps += [("started", "transfer", "debit"), ("credited", "transfer", "credit")]
        steps += [("credit-refused", "transfer", "credit refused"), ("refunded", "transfer", "refund")]
        steps += [("completed", "transfer", "complete")]
    for moment, kind, step in steps:
        yield {"moment": moment, "kind": kind, "step": step}


def _folded(entries: Sequence[Row]) -> Iterable[tuple[Row, int]]:
    balance = 0
    for entry in entries:
        balance += entry["amount_micros"]
        yield entry, balance


def _shown(wallet: Wallet, entries: Sequence[Row]) -> Row:
    """The state of a wallet after these entries, as a client sees it."""
    status = "active"
    for entry in entries:
        status = {"frozen": "frozen", "unfrozen": "active", "closed": "closed"}.get(entry["kind"], status)
    return {
        "answered_account": wallet.account,
        "balance_micros": sum(entry["amount_micros"] for entry in entries),
        "wallet_status": status,
        "wallet_currency": wallet.currency,
        "version": len(entries),
        "updated_us": entries[-1]["at_us"],
    }


def _asked(call: Row) -> tuple[str, str, str, int, str]:
    account, amount, currency = call["account"], call["amount_micros"], call["currency"]
    match call["operation"]:
        case "transfer":
            return "transfer", account, call["counterparty"], amount, currency
        case "withdraw":
            return "withdrawal", account, "@external", amount, currency
        case "open":
            return "opening", "@external", account, amount, currency
        case _:
            return "deposit", "@external", account, amount, currency


def _meaning(transfer: Row) -> tuple[str, str, str, int, str]:
    return (
        transfer["kind"],
        transfer["payer"],
        transfer["payee"],
        transfer["amount_micros"],
        transfer["currency"],
    )


def _refuse_posting(wallet: Wallet | None, currency: str) -> str | None:
    if wallet is None:
        return "wallet-not-found"
    if wallet.status != "active":
        return f"wallet-{wallet.status}"
    return None if wallet.currency == currency else "currency-mismatch"


def _refuse_status(wallet: Wallet | None, operation: str) -> str | None:
    if wallet is None:
        return "wallet-not-found"
    if operation == "close":
        return "wallet-not-empty" if wallet.balance or wallet.in_flight else None
    return "wallet-closed" if wallet.status == "closed" else None


def _event(entry: Row) -> str:
    if entry["kind"] == "opening":
        return "WalletOpened"
    return "BalanceCredited" if entry["amount_micros"] > 0 else "BalanceDebited"


def _item(entry: Row) -> Row:
    return {
        "transactionId": entry["transaction_id"],
        "kind": entry["kind"],
        "amount": _money(entry["amount_micros"]),
        "balance": _money(entry["after"]),
        "version": entry["version"],
        "counterparty": entry["counterparty"],
        "at": _moment(entry["at_us"]),
    }


def _money(micros: int) -> str:
    """An exact JSON number; the marks are removed from the text of the document."""
    return f"#{Decimal(micros).scaleb(-6):f}#"


def _moment(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
