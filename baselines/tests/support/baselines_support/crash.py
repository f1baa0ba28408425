"""Coordinators that die. Run as a program, it carries out one transfer per crash point, each in a process of its own.

Each process kills itself with SIGKILL right before it sends a statement, or right after the statement was confirmed.
"""

import asyncio
import os
import signal
import sys
from typing import Any, NamedTuple

import asyncpg

from baselines_support.commands import transfer
from wallet_baselines.settings import TwoPhaseSettings
from wallet_baselines.two_phase.wallets import TwoPhaseWallets


class Point(NamedTuple):
    """The moment before, or after, the nth statement that begins with a text."""

    when: str
    statement: str
    nth: int
    is_decided: bool
    """Whether the transfer's decision is durable at that moment."""

    def __str__(self) -> str:
        return f"{self.when}-{self.nth}-{self.statement.split()[0]}-{self.statement.split()[1]}".lower()


PREPARE, DECIDE, COMMIT = "PREPARE TRANSACTION", "-- Records the", "COMMIT PREPARED"
POINTS = [
    Point("before", PREPARE, 1, is_decided=False),
    Point("after", PREPARE, 1, is_decided=False),
    Point("after", PREPARE, 2, is_decided=False),
    Point("before", DECIDE, 1, is_decided=False),
    Point("after", DECIDE, 1, is_decided=True),
    Point("before", COMMIT, 1, is_decided=True),
    Point("after", COMMIT, 1, is_decided=True),
    Point("after", COMMIT, 2, is_decided=True),
]


def die_at(point: Point) -> None:
    """Makes this process kill itself at the point."""
    execute = asyncpg.Connection.execute
    seen = {"before": 0, "after": 0}

    def step(when: str, statement: str) -> None:
        seen[when] += statement.startswith(point.statement)
        if (when, seen[when]) == (point.when, point.nth) and statement.startswith(point.statement):
            os.kill(os.getpid(), signal.SIGKILL)

    async def counted(self: asyncpg.Connection, statement: str, *arguments: Any) -> str:
        step("before", statement)
        done: str = await execute(self, statement, *arguments)
        step("after", statement)
        return done

    asyncpg.Connection.execute = counted


async def carry_out(urls: tuple[str, ...], payer: str, payee: str, key: str) -> None:
    """Transfers 1 micro, without recovery."""
    settings = TwoPhaseSettings(
        port=0, service_secret="0123456789abcdef", database_urls=urls, recovery_interval_s=60, in_doubt_s=60
    )
    async with TwoPhaseWallets(settings) as wallets:
        await wallets.move(transfer(payer, payee, 1, key))


def main(urls: tuple[str, ...], pairs: list[str]) -> None:
    """Forks one process per crash point, each with its own pair of wallets `payer,payee`, and waits for all."""
    children = []
    for number, (point, pair) in enumerate(zip(POINTS, pairs, strict=True)):
        child = os.fork()
        if not child:
            die_at(point)
            payer, payee = pair.split(",")
            asyncio.run(carry_out(urls, payer, payee, f"key-{number}"))
            os._exit(0)
        children.append(child)
    survived = [point for point, child in zip(POINTS, children, strict=True) if os.waitpid(child, 0)[1] != 9]
    if survived:
        raise SystemExit(f"these points were not reached: {survived}")


if __name__ == "__main__":
    main((sys.argv[1], sys.argv[2]), sys.argv[3:])
