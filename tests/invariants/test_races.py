"""Concurrent requests for the same money: each is decided once, and no effect is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.blackbox.api import Answer, AsyncWalletApi
from tests.blackbox.exact import MONEY_MAX
from tests.blackbox.load import Book, Order, Verdict, place_all, with_client
from tests.blackbox.names import FAR, NEAR, new_account, new_key
from tests.blackbox.proof import statement_of, states_of, violations
from tests.blackbox.reading import WalletState
from tests.blackbox.stack import Stack

OpenWallet = Callable[..., str]
Opened = dict[str, Decimal]
WITHIN_S = 60.0


def after(stack: Stack, opened: Opened, orders: list[Order]) -> tuple[Book, dict[str, WalletState]]:
    """Send all orders at the same time, check all rules on the wallets, and return the verdicts of the orders."""

    async def scene(api: AsyncWalletApi) -> tuple[Book, dict[str, WalletState]]:
        book = Book()
        await place_all(api, book, orders)
        assert await violations(api, opened, book) == []
        return book, await states_of(api, opened)

    return with_client(stack.base_url, scene, WITHIN_S)


def opened_with(open_wallet: OpenWallet, balance: str | int, count: int) -> Opened:
    """Wallets with the same balance, alternating between two shards."""
    return {open_wallet(balance, slots=(NEAR, FAR)[number % 2]): Decimal(balance) for number in range(count)}


@pytest.mark.slow
def test_of_fifty_racing_overdrafts_one_succeeds(stack: Stack, open_wallet: OpenWallet) -> None:
    """20 payers hold 5.0 and send 50 racing transfers of 5.0 each: one per payer succeeds, none goes below zero."""
    payers, payees = opened_with(open_wallet, 5, 20), opened_with(open_wallet, 0, 10)
    names = list(payees)
    orders = [Order(payer, names[turn % 10], Decimal(5)) for turn in range(50) for payer in payers]
    book, states = after(stack, payers | payees, orders)
    winners = Counter(record.order.payer for record in book.of(Verdict.ACKNOWLEDGED))
    assert winners == Counter(dict.fromkeys(payers, 1))
    assert {record.problem for record in book.of(Verdict.REFUSED)} == {"insufficient-funds"}
    assert {states[payer] for payer in payers} == {WalletState(Decimal(), 2, "active")}


@pytest.mark.slow
@pytest.mark.parametrize("slots", [NEAR, FAR], ids=["same-shard", "other-shard"])
def test_a_thousand_transfers_on_one_pair_all_arrive(
    stack: Stack, open_wallet: OpenWallet, slots: range
) -> None:
    """1,000 concurrent transfers of one pair: all succeed, the payee gets their sum, and versions count each."""
    payer, payee = open_wallet(1000, slots=NEAR), open_wallet(0, slots=slots)
    orders = [Order(payer, payee, Decimal("0.999999")) for _ in range(1000)]
    book, states = after(stack, {payer: Decimal(1000), payee: Decimal()}, orders)
    assert len(book.of(Verdict.ACKNOWLEDGED)) == 1000
    assert (states[payer], states[payee]) == (
        WalletState(Decimal("0.001"), 1001, "active"),
        WalletState(Decimal("999.999"), 1001, "active"),
    )


@pytest.mark.slow
def test_a_thousand_transfers_on_one_wallet_stop_at_zero(stack: Stack, open_wallet: OpenWallet) -> None:
    """1,000 racing transfers of 1 from a wallet that holds 500: exactly 500 succeed, and it never goes below zero."""
    payer = open_wallet(500, slots=NEAR)
    payees = opened_with(open_wallet, 0, 20)
    orders = [Order(payer, payee, Decimal(1)) for payee in payees for _ in range(50)]
    book, states = after(stack, payees | {payer: Decimal(500)}, orders)
    assert (len(book.of(Verdict.ACKNOWLEDGED)), len(book.of(Verdict.REFUSED))) == (500, 500)
    assert states[payer] == WalletState(Decimal(), 501, "active")


@pytest.mark.slow
@pytest.mark.parametrize("slots", [NEAR, FAR], ids=["same-shard", "other-shard"])
def test_opposing_transfers_do_not_deadlock(stack: Stack, open_wallet: OpenWallet, slots: range) -> None:
    """300 transfers A to B race 300 from B to A: all succeed, and both wallets end with their first balances."""
    first, second = open_wallet(300, slots=NEAR), open_wallet(300, slots=slots)
    orders = [Order(*pair, Decimal(1)) for _ in range(300) for pair in ((first, second), (second, first))]
    book, states = after(stack, {first: Decimal(300), second: Decimal(300)}, orders)
    assert len(book.of(Verdict.ACKNOWLEDGED)) == 600
    assert states[first] == states[second] == WalletState(Decimal(300), 601, "active")


def test_transfers_around_a_ring_conserve_money(stack: Stack, open_wallet: OpenWallet) -> None:
    """Transfers around a ring of nearly empty wallets: some are refused, none is lost or doubled."""
    ring = list(opened_with(open_wallet, 1, 6))
    orders = [Order(ring[turn % 6], ring[(turn + 1) % 6], Decimal("0.75")) for turn in range(300)]
    _, states = after(stack, dict.fromkeys(ring, Decimal(1)), orders)
    assert sum(state.balance for state in states.values()) == 6


@pytest.mark.parametrize("amount", [1, 1000], ids=["success", "refusal"])
def test_racing_requests_with_one_key_have_one_effect(
    stack: Stack, open_wallet: OpenWallet, amount: int
) -> None:
    """50 concurrent identical requests have one effect. One gets the first answer; the others replay it."""
    payer, payee = open_wallet(100, slots=NEAR), open_wallet(0, slots=FAR)
    order = Order(payer, payee, Decimal(amount))

    async def scene(api: AsyncWalletApi) -> list[Answer]:
        answers = await asyncio.gather(
            *(api.transfer(payer, payee, order.amount, key=order.key) for _ in range(50))
        )
        book = Book()
        for answer in answers:
            book.note(order, answer)
        assert await violations(api, {payer: Decimal(100), payee: Decimal()}, book) == []
        return answers

    answers = with_client(stack.base_url, scene, WITHIN_S)
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({answer.content for answer in answers}) == 1


def test_racing_requests_with_one_key_and_two_bodies_have_one_effect(
    stack: Stack, open_wallet: OpenWallet
) -> None:
    """50 concurrent requests with one key and two bodies: one body wins, the other gets 422, and none gets 409."""
    payer, payee, key = open_wallet(100, slots=NEAR), open_wallet(0, slots=FAR), new_key()

    async def scene(api: AsyncWalletApi) -> tuple[list[Answer], WalletState]:
        answers = await asyncio.gather(
            *(api.transfer(payer, payee, 1 + turn % 2, key=key) for turn in range(50))
        )
        return answers, (await states_of(api, {payee: Decimal()}))[payee]

    answers, state = with_client(stack.base_url, scene, WITHIN_S)
    odd, even = ({answer.status for answer in answers[start::2]} for start in (0, 1))
    assert (odd, even, int(state.balance)) in [({201}, {422}, 1), ({422}, {201}, 2)]


def test_racing_creations_of_a_name_open_it_once(stack: Stack) -> None:
    """50 concurrent creations of one accountId: one 201, the others 409, and one opening posting."""
    account = new_account()

    async def scene(api: AsyncWalletApi) -> tuple[Counter[int], int]:
        answers = await asyncio.gather(*(api.open_wallet(account, balance=10) for _ in range(50)))
        return Counter(answer.status for answer in answers), len(await statement_of(api, account))

    assert with_client(stack.base_url, scene, WITHIN_S) == (Counter({201: 1, 409: 49}), 1)


def test_one_of_racing_withdrawals_and_transfers_succeeds(stack: Stack, open_wallet: OpenWallet) -> None:
    """25 concurrent withdrawals and 25 transfers of a wallet's whole balance: exactly one succeeds."""
    payer, payee = open_wallet(5, slots=NEAR), open_wallet(0, slots=FAR)

    async def scene(api: AsyncWalletApi) -> Counter[int]:
        sent = [api.withdraw(payer, 5) if turn % 2 else api.transfer(payer, payee, 5) for turn in range(50)]
        return Counter(answer.status for answer in await asyncio.gather(*sent))

    assert with_client(stack.base_url, scene, WITHIN_S) == Counter({201: 1, 409: 49})


def test_racing_credits_stop_at_the_limit(stack: Stack, open_wallet: OpenWallet) -> None:
    """40 transfers of 1 to a wallet with room for 5: exactly five succeed, and the others are refunded."""
    payers = opened_with(open_wallet, 2, 20)
    payee = open_wallet(str(MONEY_MAX - 5), slots=FAR)
    orders = [Order(payer, payee, Decimal(1)) for payer in payers for _ in range(2)]
    book, states = after(stack, payers | {payee: MONEY_MAX - 5}, orders)
    assert (len(book.of(Verdict.ACKNOWLEDGED)), states[payee].balance) == (5, MONEY_MAX)
    assert {record.problem for record in book.of(Verdict.REFUSED)} == {"balance-limit"}


def test_close_that_races_with_credits_loses_no_money(stack: Stack, open_wallet: OpenWallet) -> None:
    """A wallet closed while money arrives is either closed with balance 0 or open with all the money."""
    opened = opened_with(open_wallet, 0, 8)
    payer = open_wallet(100, slots=NEAR)

    async def scene(api: AsyncWalletApi) -> None:
        book, orders = Book(), [Order(payer, payee, Decimal(1)) for payee in opened for _ in range(5)]
        await asyncio.gather(place_all(api, book, orders), *(api.close_wallet(payee) for payee in opened))
        assert await violations(api, opened | {payer: Decimal(100)}, book) == []
        states = await states_of(api, opened)
        assert [state for state in states.values() if state.status == "closed" and state.balance != 0] == []

    with_client(stack.base_url, scene, WITHIN_S)


def test_freeze_that_races_with_transfers_loses_no_money(stack: Stack, open_wallet: OpenWallet) -> None:
    """Transfers to wallets that are frozen and unfrozen under load succeed or are refunded. None is lost."""
    opened = opened_with(open_wallet, 10, 8)
    names = list(opened)

    async def toggle(api: AsyncWalletApi) -> None:
        for turn in range(40):
            assert (await api.set_status(names[turn % 4], ("frozen", "active")[turn // 4 % 2])).status == 200

    async def scene(api: AsyncWalletApi) -> None:
        book = Book()
        orders = [
            Order(names[turn % 8], names[(turn + 1 + turn // 8 % 7) % 8], Decimal("0.01"))
            for turn in range(400)
        ]
        await asyncio.gather(place_all(api, book, orders), toggle(api))
        assert await violations(api, opened, book) == []

    with_client(stack.base_url, scene, WITHIN_S)
