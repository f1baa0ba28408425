"""The tables of the capacity model."""

from wallet_lab.report.capacity_model import (
    ASSUMPTIONS,
    costs_of_all,
    first_limits,
    limits_table,
    needs_table,
)
from wallet_lab.report.charts.exhibit import Exhibit
from wallet_lab.report.model import Report


def needs(report: Report) -> Exhibit | None:
    """List the cores and machines for rates beyond those of the measured machine."""
    table = needs_table(costs_of_all(report))
    if not table.rows:
        return None
    return Exhibit(
        name="needs",
        title="Cores and machines by rate",
        caption="Computed from the measured CPU time per transfer. The last column lists each component that "
        f"the design has only once, and how many of it the rate would need. {' '.join(ASSUMPTIONS)}",
        table=table,
    )


def component_limits(report: Report) -> Exhibit | None:
    """List the rate at which each component saturates."""
    costs = costs_of_all(report)
    table = limits_table(costs)
    if not table.rows:
        return None
    return Exhibit(
        name="component-limits",
        title="Rate at which a component saturates",
        caption=" ".join(first_limits(costs)),
        table=table,
    )
