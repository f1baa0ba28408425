"""An unresponsive shard: transfers are pending, lookups say so, and each transfer ends without help."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.blackbox.api import Answer, AsyncWalletApi
from tests.blackbox.exact import MONEY_MAX
from tests.blackbox.load import Book, Order, answered, place, settle, with_client
from tests.blackbox.names import FAR, NEAR, new_account
from tests.blackbox.problems import assert_problem
from tests.blackbox.proof import violations
from tests.blackbox.stack import DRAIN_KINDS, Component, Stack, of_kind

OpenWallet = Callable[..., str]
WITHIN_S = 90.0
ENDS_WITHIN_S = 30.0
ENDS = ("success", "refused")
pytestmark = pytest.mark.slow


@contextmanager
def stopped(stack: Stack, parts: list[Component]) -> Iterator[None]:
    """SIGSTOP these components, and SIGCONT them at the end in any case."""
    for part in parts:
        stack.kill(part.name, signal.SIGSTOP)
    try:
        yield
    finally:
        for part in parts:
            stack.kill(part.name, signal.SIGCONT)


@pytest.fixture
def far_databases(faults: Stack) -> list[Component]:
    """The databases of the last shard, which has all FAR accounts and no NEAR ones."""
    if faults.architecture not in ("saga", "two-phase"):
        pytest.skip("both sides of a transfer are in one database")
    databases = of_kind(faults, "postgres")
    last = max(part.shard or 0 for part in databases)
    if last == 0:
        pytest.skip("needs two shards")
    return [part for part in databases if part.shard == last]


@pytest.fixture
def compensating(faults: Stack) -> None:
    """Skips a test of transfers that debit before they reach the payee's shard."""
    if faults.architecture != "saga":
        pytest.skip("only a saga debits the payer before the payee's shard has answered")


def assert_not_decided(answer: Answer) -> None:
    """A lookup without access to the deciding shard says pending or shard-unavailable, never an outcome."""
    if answer.status == 200:
        assert answer.document["status"] == "pending"
    else:
        assert_problem(answer, "shard-unavailable")


async def ended(look_up: Callable[[], Awaitable[Answer]]) -> Answer:
    """Look a transfer up until it has ended. Raises ``TimeoutError`` if it does not end."""
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            answer = await look_up()
            if answer.document["status"] in ENDS:
                return answer
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("payee_exists", [True, False], ids=["success", "refusal"])
@pytest.mark.usefixtures("compensating")
def test_undecided_transfer_is_pending_until_it_is_decided(
    faults: Stack, far_databases: list[Component], open_wallet: OpenWallet, payee_exists: bool
) -> None:
    """If the payee's shard is down after the debit, the answer is 202 with Location. Later replays give the outcome."""
    payer, payee = (
        open_wallet(10, slots=NEAR),
        open_wallet(0, slots=FAR) if payee_exists else new_account(FAR),
    )
    order = Order(payer, payee, Decimal(10))

    async def scene(api: AsyncWalletApi) -> None:
        with stopped(faults, far_databases):
            first = await api.transfer(payer, payee, 10, key=order.key)
            assert (first.status, first.document["status"]) == (202, "pending"), first
            assert first.headers["location"] == f"/transfers/{first.transaction_id}"
            assert_not_decided(await api.transfer_document(first.transaction_id or ""))
            again = await api.transfer(payer, payee, 10, key=order.key)
            assert (again.status, again.transaction_id) == (202, first.transaction_id)
            # The payer cannot be closed at balance 0 during its transfer, because the money may come back.
            assert_problem(await api.close_wallet(payer), "wallet-not-empty")
        found = await ended(lambda: api.transfer_document(first.transaction_id or ""))
        assert found.document["status"] == ("success" if payee_exists else "refused")
        last = await api.transfer(payer, payee, 10, key=order.key)
        assert (last.status, last.transaction_id) == (201 if payee_exists else 404, first.transaction_id)
        assert (await api.close_wallet(payer)).status == (200 if payee_exists else 409)

    with_client(faults.base_url, scene, WITHIN_S)


def test_transfer_is_neither_success_nor_refusal_while_the_payers_shard_is_down(
    faults: Stack, far_databases: list[Component], open_wallet: OpenWallet
) -> None:
    """If the payer's shard is down, the answer is neither success nor refusal. Retries with the key decide later."""
    opened = {open_wallet(10, slots=FAR): Decimal(10), open_wallet(0, slots=NEAR): Decimal()}
    payer, payee = opened

    async def scene(api: AsyncWalletApi) -> None:
        book, orders = Book(), [Order(payer, payee, Decimal(1)) for _ in range(5)]
        with stopped(faults, far_databases):
            answers = [await place(api, book, order) for order in orders[:1]]
            answers += await asyncio.gather(*(place(api, book, order) for order in orders[1:]))
            assert [
                answer for answer in answers if answer is not None and answer.status not in (202, 503)
            ] == []
        await settle(api, book, ENDS_WITHIN_S)
        assert await violations(api, opened, book) == []
        assert (await api.balance(payee)).document["balance"] == 5

    with_client(faults.base_url, scene, WITHIN_S)


@pytest.mark.usefixtures("compensating")
def test_a_refund_always_fits(faults: Stack, far_databases: list[Component], open_wallet: OpenWallet) -> None:
    """Money in flight counts against the payer's limit, so a refund always fits."""
    payer, payee = open_wallet(str(MONEY_MAX), slots=NEAR), new_account(FAR)

    async def scene(api: AsyncWalletApi) -> None:
        with stopped(faults, far_databases):
            pending = await api.transfer(payer, payee, 10)
            assert pending.status == 202, pending
            assert_problem(await api.deposit(payer, 10), "balance-limit")
        found = await ended(lambda: api.transfer_document(pending.transaction_id or ""))
        assert found.document["status"] == "refused"
        assert (await api.balance(payer)).money("balance") == str(MONEY_MAX)

    with_client(faults.base_url, scene, WITHIN_S)


def test_other_shards_work_while_one_is_down(
    faults: Stack, far_databases: list[Component], open_wallet: OpenWallet
) -> None:
    """If one shard is down, transfers between wallets of other shards succeed."""
    payer, payee = open_wallet(10, slots=NEAR), open_wallet(0, slots=NEAR)

    async def scene(api: AsyncWalletApi) -> None:
        with stopped(faults, far_databases):
            stuck = asyncio.create_task(answered(api.balance(new_account(FAR))))
            answers = [await api.transfer(payer, payee, 1) for _ in range(5)]
            assert [answer.status for answer in answers] == [201] * 5
            assert (await api.balance(payee)).document["balance"] == 5
        await stuck

    with_client(faults.base_url, scene, WITHIN_S)


@pytest.mark.parametrize("slots", [NEAR, FAR], ids=["same-shard", "other-shard"])
def test_request_accepted_before_sigterm_is_answered(
    faults: Stack, open_wallet: OpenWallet, slots: range
) -> None:
    """A request in flight when SIGTERM arrives gets its answer and has one effect."""
    accepting = of_kind(faults, DRAIN_KINDS[faults.architecture][0])
    payer, payee = open_wallet(10, slots=NEAR), open_wallet(0, slots=slots)
    order, book = Order(payer, payee, Decimal(1)), Book()

    async def scene(api: AsyncWalletApi) -> None:
        with stopped(faults, of_kind(faults, "postgres")):
            accepted = asyncio.create_task(place(api, book, order))
            await asyncio.sleep(0.3)
            for part in accepting:
                faults.kill(part.name, signal.SIGTERM)
            await asyncio.sleep(0.3)
        assert await accepted is not None, "an accepted request was dropped"
        await asyncio.to_thread(faults.wait_ready)
        await settle(api, book, ENDS_WITHIN_S)
        assert await violations(api, {payer: Decimal(10), payee: Decimal()}, book) == []

    with_client(faults.base_url, scene, WITHIN_S)
