"""`./lab chaos`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from wallet_lab.architectures import find_with_ledger, listed, with_ledger
from wallet_lab.errors import LabError
from wallet_lab.nemesis import faults
from wallet_lab.nemesis.load import AFTER_S, RATE_PER_S, load
from wallet_lab.nemesis.run import run_fault
from wallet_lab.report.model import Recovery
from wallet_lab.report.wording import MOMENTS, NOTHING
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend, BackendOption, stack_in_use
from wallet_lab.workload.command import finite

console = Console(highlight=False, soft_wrap=True)


def chaos(
    architecture: Annotated[
        str,
        typer.Argument(
            metavar="ARCH", help=f"{listed(with_ledger())}. Uses the stack that is up, or starts one."
        ),
    ],
    fault: Annotated[
        str,
        typer.Option(help="A fault, such as kill-worker or pause-redis. An unknown name prints the list."),
    ],
    rate: Annotated[
        float, typer.Option(min=1, callback=finite, help="Transfers that arrive per second.")
    ] = RATE_PER_S,
    after: Annotated[
        float, typer.Option(min=3, callback=finite, help="Seconds of load after the fault.")
    ] = AFTER_S,
    keep: Annotated[Path | None, typer.Option(help="Folder for the evidence, as Parquet files.")] = None,
    on: BackendOption = Backend.NATIVE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Break a component under load, time the recovery and audit the books. Exits with 0 only if nothing was lost."""
    chosen = faults.find(find_with_ledger(architecture), fault)
    if chosen.action == "cut" and on is not Backend.DOCKER:
        raise LabError("only containers can be disconnected from the network: add --on docker")
    try:
        with interruptible(), stack_in_use(architecture, on) as stack:
            recovery = run_fault(stack, chosen, load(rate, after), keep=keep)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(msgspec.json.encode(recovery).decode())  # noqa: T201 -- for programs: Rich would wrap it
    else:
        _print(recovery)
    raise typer.Exit(0 if recovery.verdict == "passed" else 1)


def _print(recovery: Recovery) -> None:
    console.print(
        f"{recovery.architecture}, {recovery.fault}: {recovery.verdict} {recovery.why}".rstrip(), markup=False
    )
    for name, words in MOMENTS.items():
        moment = getattr(recovery, name)
        console.print(f"  {words:<16} {NOTHING if moment is None else f'{moment:.2f} s'}")
    outcomes = recovery.outcomes
    console.print(
        f"  responses: {outcomes.success} success, {outcomes.pending} pending, {outcomes.unknown} unknown, "
        f"{outcomes.rejected} rejected; lost: {NOTHING if recovery.lost is None else recovery.lost}"
    )
