"""What a comparison has found."""

from dataclasses import dataclass, field

from wallet_lab.report.model import Delay, Recovery, Run


@dataclass(slots=True)
class Findings:
    """What has been found so far; an interrupted comparison reports this."""

    runs: list[Run] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
