"""Batches with bad items."""

from collections.abc import Sequence

import pytest

from wallet_kernel.bisection import ATTEMPTS_MAX, ItemAtFault, bisected

pytestmark = pytest.mark.anyio


class Attempts:
    """Accepts numbers, and refuses every part that contains a bad one."""

    def __init__(self, at_fault: set[int]) -> None:
        self._at_fault = at_fault
        self.count = 0
        self.done: list[int] = []
        self.not_done: list[int] = []

    async def attempt(self, part: Sequence[int]) -> None:
        """One transaction."""
        self.count += 1
        if self._at_fault & set(part):
            raise ItemAtFault
        self.done += part

    def give_up(self, part: Sequence[int]) -> None:
        """Records the items."""
        self.not_done += part


@pytest.mark.parametrize("at_fault", [set(), {0}, {999}, {17, 18, 500}])
async def test_faulty_items_fail_and_the_others_succeed(at_fault: set[int]) -> None:
    """Good items are done once, in their order."""
    attempts = Attempts(at_fault)
    await bisected(range(1000), attempts.attempt, attempts.give_up)
    assert attempts.done == [item for item in range(1000) if item not in at_fault]
    assert attempts.not_done == sorted(at_fault)


async def test_batch_of_faulty_items_costs_a_bounded_number_of_transactions() -> None:
    """A systematic error does not multiply the transactions by the size of the batch."""
    attempts = Attempts(set(range(1000)))
    await bisected(range(1000), attempts.attempt, attempts.give_up)
    assert attempts.not_done == list(range(1000))
    assert attempts.count == ATTEMPTS_MAX
