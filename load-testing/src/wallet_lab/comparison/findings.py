"""The findings of a comparison."""

from dataclasses import dataclass, field

from wallet_lab.report.model import Delay, Recovery, Run


@dataclass(slots=True)
class Findings:
    """The findings so far; an interrupted comparison reports them."""

    runs: list[Run] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
