"""Measures the size of an architecture: the parts that a team operates, and the code that it reads."""

from collections import Counter
from collections.abc import Iterable

from wallet_lab.architectures.adapter import Architecture
from wallet_lab.comparison.source_lines import count
from wallet_lab.report.model import Size
from wallet_lab.stack.running import ComponentStatus, RunningStack
from wallet_lab.workload.sampler import NOT_SERVERS

GATEWAY = "gateway"


def size_of(stack: RunningStack) -> Size:
    """Return the size of a running stack and of the source of its services."""
    own = list(own_components(stack.components, stack.adapter))
    services = stack.adapter.services
    lines = count(stack.adapter.modules) if stack.adapter.modules else None
    return Size(
        architecture=stack.architecture,
        services=dict(Counter(part.kind for part in own if part.kind in services)),
        servers=dict(Counter(part.kind for part in own if part.kind not in services)),
        lines=lines.own if lines else None,
        kernel_lines=lines.kernel if lines else None,
        failure_modes=len(stack.adapter.targets),
    )


def own_components(
    components: Iterable[ComponentStatus], architecture: Architecture
) -> Iterable[ComponentStatus]:
    """Leave out the monitoring, and the gateway that the lab adds to an architecture without one."""
    has_gateway = any(target.component == GATEWAY for target in architecture.targets)
    return (
        part for part in components if part.kind not in NOT_SERVERS and (has_gateway or part.kind != GATEWAY)
    )
