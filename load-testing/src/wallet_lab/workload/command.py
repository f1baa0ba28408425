"""`./lab bench`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from wallet_lab.architectures import NAMES, find, listed, with_ledger
from wallet_lab.errors import LabError
from wallet_lab.report.model import Delay, Route, Run
from wallet_lab.signals import INTERRUPTED, interruptible
from wallet_lab.stack.backend import Backend, BackendOption, stack_in_use
from wallet_lab.stack.running import RunningStack
from wallet_lab.workload import scenarios
from wallet_lab.workload.profile.folder import prepare, write
from wallet_lab.workload.run import measure_delay, run_scenario, run_sweep
from wallet_lab.workload.scenarios import BY_THE_CLOCK, Scenario

console = Console(highlight=False, soft_wrap=True)


class Results(msgspec.Struct):
    """The content of `--out`: parts of the report's schema."""

    runs: list[Run]
    consistency_delay_ms: list[Delay]


def finite(value: float | None) -> float | None:
    """Return an option's number. Refuse an infinite one, which the option's minimum admits."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def bench(
    architecture: Annotated[
        str,
        typer.Argument(metavar="ARCH", help=f"{listed(NAMES)}. Uses the stack that is up, or starts one."),
    ],
    scenario: Annotated[
        str, typer.Option(help="A scenario, such as hot-pair. An unknown name prints the list.")
    ] = "hot-pair",
    repeats: Annotated[int, typer.Option(min=1, help="Number of repeats.")] = 1,
    duration: Annotated[
        float | None,
        typer.Option(min=1, callback=finite, help="Seconds of load; in a sweep, seconds per step."),
    ] = None,
    clients: Annotated[int | None, typer.Option(min=1, help="Concurrent clients.")] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=1, callback=finite, help="Arrivals per second, for scenarios with a fixed arrival rate."
        ),
    ] = None,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Send the load to the gateway instead of the services.")
    ] = False,
    on: BackendOption = Backend.NATIVE,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the results, as JSON; the folder of the evidence is next to it."),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="Empty or new folder for flame graphs and tables of the CPU time by function."),
    ] = None,
) -> None:
    """Measure a scenario and audit the books after every run. Exits with 0 only if all audits passed.

    `./lab bench --targets` measures the performance targets instead; it has other options.
    """
    found = find(architecture)
    chosen = _changed(scenarios.find(scenario), duration, clients, rate)
    if found.ledger is None and chosen.script == "consistency":
        raise LabError(
            f"{architecture} moves no money, so the consistency scenario cannot measure it. "
            f"Use {listed(with_ledger())}."
        )
    if profile is not None:
        _prepare_profile(profile, on, out, repeats)
    if out is not None:
        check_writable(out)
    results = Results([], [])
    try:
        with interruptible(), stack_in_use(found.name, on, gateway=gateway) as stack:
            for repeat in range(1, repeats + 1):
                keep = _kept(out, chosen, repeat)
                _measure(stack, chosen, repeat, results, keep, "gateway" if gateway else "direct", profile)
            if profile is not None:
                _write_profile(profile, results.runs)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if out is not None:
            out.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    raise typer.Exit(0 if all(run.verdict == "passed" for run in results.runs) else 1)


def _prepare_profile(folder: Path, on: Backend, out: Path | None, repeats: int) -> None:
    """Create the folder of a profile. Raises LabError for options that do not go with it."""
    if on is Backend.DOCKER:
        raise LabError("--profile works only with native processes. Leave --on out.")
    if out is not None:
        raise LabError(
            "--profile disturbs the run, so --out would keep wrong figures. Leave one of them out."
        )
    if repeats > 1:
        raise LabError("--profile has the samples of one run. Leave --repeats out.")
    prepare(folder)


def _write_profile(folder: Path, runs: Sequence[Run]) -> None:
    """Write and print the profile, unless the audit failed: then no figure of the run is reported."""
    if runs[0].verdict == "passed":
        console.print(f"\n{write(folder, runs[0])}\nFlame graphs and functions: {folder}", markup=False)


def check_writable(out: Path) -> None:
    """Check before the load that the output file is writable. Raises LabError if it is not."""
    try:
        out.open("ab").close()
    except OSError as error:
        raise LabError(f"the results cannot be written to {out}: {error.strerror}") from None


def _changed(scenario: Scenario, duration: float | None, clients: int | None, rate: float | None) -> Scenario:
    if rate and scenario.script not in BY_THE_CLOCK:
        raise LabError(
            f"--rate works only with {' and '.join(BY_THE_CLOCK)}: in {scenario.name} clients wait for responses"
        )
    if clients and scenario.script == "consistency" and not rate:
        raise LabError(
            "consistency has one client. --clients sets the clients of its background load, which needs --rate."
        )
    return replace(
        scenario,
        duration_s=duration or scenario.duration_s,
        clients=clients or scenario.clients,
        rate_per_s=rate or scenario.rate_per_s,
    )


def _kept(out: Path | None, scenario: Scenario, repeat: int) -> Path | None:
    """Return the folder for the evidence of a run, next to the results."""
    return out and out.with_name(f"{out.stem}-evidence") / f"{scenario.name}-{repeat}"


def _measure(
    stack: RunningStack,
    scenario: Scenario,
    repeat: int,
    results: Results,
    keep: Path | None,
    route: Route,
    profile: Path | None,
) -> None:
    if scenario.rates_per_s:
        runs = run_sweep(stack, scenario, repeat=repeat, route=route, keep=keep, profile=profile)
    elif scenario.script == "consistency":
        run, delay = measure_delay(stack, scenario, repeat=repeat, route=route, keep=keep, profile=profile)
        runs = [run]
        if delay is not None:
            results.consistency_delay_ms.append(delay)
            console.print(f"visible after p50 {delay.p50:.1f} · p95 {delay.p95:.1f} · p99 {delay.p99:.1f} ms")
    else:
        runs = [run_scenario(stack, scenario, repeat=repeat, route=route, keep=keep, profile=profile)]
    results.runs.extend(runs)
    for run in runs:
        console.print(describe_run(run), markup=False)


def describe_run(run: Run) -> str:
    """Describe a run in one line. If its audit failed, give the reason and no figure."""
    name = f"{run.architecture} {run.scenario} {run.repeat}:"
    if run.verdict == "failed":
        return f"{name} FAILED its audit, so its figures are withheld. {run.why}"
    if run.verdict == "not-run":
        return f"{name} could not be run. {run.why}"
    return f"{name} {_figures(run)} · {_audited(run)}"


def _figures(run: Run) -> str:
    acked = "none acknowledged" if run.acked_per_s is None else f"{run.acked_per_s:.0f} acknowledged/s"
    if (latency := run.latency_ms) is None:
        return acked
    times = f"p50 {latency.p50:.1f} · p95 {latency.p95:.1f} · p99 {latency.p99:.1f} ms"
    cpu = run.server_cpu_ms_per_transfer
    return f"{acked} · {times}" + (f" · {cpu.total:.2f} ms of server CPU each" if cpu else "")


def _audited(run: Run) -> str:
    if run.audit is None:
        return "no books to audit"
    through = " through the API alone" if run.audit.is_through_api else ""
    return f"audit{through} passed ({len(run.audit.checks)} checks)"
