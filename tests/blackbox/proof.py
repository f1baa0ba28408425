"""Rules that hold after any load: every statement adds up, and every order has exactly the effect that was answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial

from tests.blackbox.api import Answer, AsyncWalletApi
from tests.blackbox.load import PAUSE_AFTER_FAILURE_S, Book, Record, Verdict, answered
from tests.blackbox.reading import Entry, WalletState, page_of, state_of, unexplained
from tests.blackbox.stack import Stack

AUDIT_WITHIN_S = 30.0
READ_ATTEMPTS = 5
STATUS = {Verdict.ACKNOWLEDGED: "success", Verdict.REFUSED: "refused"}


async def read(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Send a read, and retry while there is no answer or a 503, because these proofs test money, not availability."""
    for _ in range(READ_ATTEMPTS - 1):
        answer = await answered(ask())
        if answer is not None and answer.status != 503:
            return answer
        await asyncio.sleep(
            float(answer.headers["retry-after"]) if answer is not None else PAUSE_AFTER_FAILURE_S
        )
    return await ask()


async def statement_of(api: AsyncWalletApi, account: str) -> list[Entry]:
    """Every posting of a wallet, newest first."""
    entries: list[Entry] = []
    cursor: str | None = None
    while True:
        page = page_of(await read(partial(api.statement, account, 500, cursor)))
        entries += page["items"]
        cursor = page.get("nextCursor")
        if cursor is None:
            return entries


async def states_of(api: AsyncWalletApi, accounts: Mapping[str, Decimal]) -> dict[str, WalletState]:
    """The state of each wallet."""
    answers = await asyncio.gather(*(read(partial(api.balance, account)) for account in accounts))
    return dict(zip(accounts, map(state_of, answers), strict=True))


async def come_to_rest(api: AsyncWalletApi, opened: Mapping[str, Decimal], within_s: float) -> None:
    """Wait, without retries, until no money of these wallets is in flight. Every transfer must end by itself."""
    deadline = time.monotonic() + within_s
    while found := _unconserved(opened, await states_of(api, opened)):
        assert time.monotonic() < deadline, f"after {within_s} s money is still in flight or lost:  {found}"
        await asyncio.sleep(0.2)


async def violations(api: AsyncWalletApi, opened: Mapping[str, Decimal], book: Book) -> list[str]:
    """Every rule that the settled wallets break, given their opening balances. Only the book may touch them."""
    states = await states_of(api, opened)
    statements = dict(
        zip(opened, await asyncio.gather(*(statement_of(api, account) for account in opened)), strict=True)
    )
    found = list(book.breaches)
    found += [f"{record} was never decided" for record in book.of(Verdict.OPEN)]
    for account, state in states.items():
        found += [f"{account}: {flaw}" for flaw in unexplained(statements[account], state.balance)]
        found += [
            f"{account} went below zero: {entry}"
            for entry in statements[account]
            if Decimal(entry["balance"]) < 0
        ]
    found += _unconserved(opened, states)
    found += _misposted(statements, book)
    return found + await _misdocumented(api, book)


def _unconserved(opened: Mapping[str, Decimal], states: Mapping[str, WalletState]) -> list[str]:
    before, after = sum(opened.values()), sum(state.balance for state in states.values())
    return [] if before == after else [f"the wallets held {before} and now hold {after}"]


def _misposted(statements: Mapping[str, list[Entry]], book: Book) -> list[str]:
    """Orders whose postings contradict their answer, and postings without an order."""
    postings: dict[str, Counter[tuple[str, str, Decimal]]] = defaultdict(Counter)
    for account, entries in statements.items():
        for entry in entries:
            if entry["kind"] in ("transfer", "refund"):
                postings[entry["transactionId"]][account, entry["kind"], Decimal(entry["amount"])] += 1
    found = []
    for record in book.records.values():
        posted = postings.pop(record.transaction_id or "", Counter())
        if record.verdict is not Verdict.OPEN and posted not in _allowed(record):
            found.append(f"{record} is in the ledgers as {dict(posted)}")
    return found + [
        f"{transaction} was posted without an order: {dict(posted)}"
        for transaction, posted in postings.items()
    ]


def _allowed(record: Record) -> list[Counter[tuple[str, str, Decimal]]]:
    """The postings that the verdict allows: one transfer if acknowledged; nothing, or debit and refund, if refused."""
    order = record.order
    debit, refund = (order.payer, "transfer", -order.amount), (order.payer, "refund", order.amount)
    if record.verdict is Verdict.ACKNOWLEDGED:
        return [Counter([debit, (order.payee, "transfer", order.amount)])]
    return [Counter(), Counter([debit, refund])]


async def _misdocumented(api: AsyncWalletApi, book: Book) -> list[str]:
    """Refused orders, and every tenth acknowledged one, whose transfer document contradicts the answer."""
    looked_up = book.of(Verdict.REFUSED) + book.of(Verdict.ACKNOWLEDGED)[::10]
    answers = await asyncio.gather(
        *(read(partial(api.transfer_document, record.transaction_id or "")) for record in looked_up)
    )
    return [
        f"{record} is documented as {answer}"
        for record, answer in zip(looked_up, answers, strict=True)
        if answer.status != 200 or answer.document["status"] != STATUS[record.verdict]
    ]


def audited_at_rest(stack: Stack, within_s: float = AUDIT_WITHIN_S) -> list[str]:
    """The guarantees that the databases violate after background work has had time to finish."""
    deadline = time.monotonic() + within_s
    while (found := stack.audit()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found
