"""The capacity model: cores, machines and limits for known costs."""

from datetime import UTC, datetime

import pytest
from lab_support.synthetic import synthetic_report

from wallet_lab.architectures import every
from wallet_lab.report.capacity_model import (
    ASSUMPTIONS,
    ComponentCost,
    costs_of,
    first_limits,
    limits_table,
    need,
    needs_table,
)
from wallet_lab.report.choose import BEGIN, END, with_decisions
from wallet_lab.report.model import Costs, Outcomes, Run
from wallet_lab.report.sections import sections

COSTS = (
    ComponentCost("worker", 0.2, "shards"),
    ComponentCost("orchestrator", 0.1, "replicas"),
    ComponentCost("postgres", 0.1, "shards"),
    ComponentCost("redis", 0.01, "one process"),
)
"""A core of the worker is full at 3500/s, of the next two at 7000/s, and of Redis at 70 000/s."""


def run(by_component: dict[str, float], architecture: str = "saga") -> Run:
    """A run with these costs."""
    return Run(
        architecture=architecture,
        scenario="uniform-1k",
        repeat=1,
        verdict="passed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_s=1,
        outcomes=Outcomes(),
        server_cpu_ms_per_transfer=Costs(total=sum(by_component.values()), by_component=by_component),
    )


@pytest.mark.parametrize(
    ("rate", "cores", "machines", "orchestrators", "shards", "exceeded"),
    [
        (1_000, 0.41, 1, 1, 1, {}),
        (10_000, 4.1, 1, 2, 3, {}),
        (100_000, 41.0, 4, 15, 29, {"redis": 2}),
        (1_000_000, 410.0, 37, 143, 286, {"redis": 15}),
    ],
)
def test_need_follows_from_the_costs(
    rate: int, cores: float, machines: int, orchestrators: int, shards: int, exceeded: dict[str, int]
) -> None:
    """Cores are rate times cost; each process uses 70 % of a core; a machine has 16 cores."""
    found = need(COSTS, rate)
    assert found.cores == pytest.approx(cores)
    assert (found.machines, found.shards) == (machines, shards)
    assert (found.replicas, found.exceeded) == ({"orchestrator": orchestrators}, exceeded)


def test_single_server_uses_all_cores_of_its_machine() -> None:
    """A process is full with 0.7 cores, a server that is alone on its machine with 0.7 × 16."""
    assert ComponentCost("postgres", 0.35, "one machine").limit_per_s == pytest.approx(32_000)
    assert ComponentCost("postgres-events", 0.35, "one process").limit_per_s == pytest.approx(2_000)


def test_costs_are_means_and_the_first_one_saturates_first() -> None:
    """Costs are means over the direct runs of the load, in the order of their limits. Idle components are left out."""
    runs = [
        run({"redis": 0.01, "worker": 0.3, "orchestrator": 0.1, "gateway": 0.001}),
        run({"redis": 0.01, "worker": 0.1, "orchestrator": 0.1, "gateway": 0.001}),
        run({"redis": 9.0}, "noop"),
    ]
    found = costs_of(runs, "saga")
    assert [(each.kind, each.scaling) for each in found] == [
        ("worker", "shards"),
        ("orchestrator", "replicas"),
        ("redis", "one process"),
    ]
    assert found[0].cpu_ms == pytest.approx(0.2)
    assert costs_of(runs, "saga", "hot-pair") == ()
    assert costs_of(runs, "noop") == ()


def test_every_measured_architecture_says_how_it_grows() -> None:
    """Each architecture with a ledger has a rule for each of its own services."""
    for one in every():
        if one.ledger is not None:
            assert one.services <= one.scaling.keys(), one.name


def test_component_that_cannot_grow_is_named_with_its_limit() -> None:
    """A sentence names the component that saturates first and the one that limits the design."""
    (sentence,) = first_limits({"saga": COSTS})
    assert "worker saturates first, at 3\u202f500 transfers/s" in sentence
    assert "redis cannot grow (only one process) and serves 70\u202f000 transfers/s" in sentence
    (sentence,) = first_limits({"saga": COSTS[:3]})
    assert sentence.endswith("Every component can grow.")


def test_tables_have_a_row_per_rate_and_per_component() -> None:
    """The first table has the needs for each rate, the second one the limits; without costs there is no row."""
    rows = needs_table({"saga": COSTS, "mine": ()}).rows
    assert [row[0] for row in rows] == ["saga"] * 4
    assert rows[2][2:] == ("41", "4", "orchestrator × 15, shard × 29", "redis × 2")
    assert [row[1] for row in limits_table({"saga": COSTS, "mine": ()}).rows] == [each.kind for each in COSTS]


def test_page_and_choosing_guide_have_the_model() -> None:
    """The report has the model as a section, and docs/choose.md gets its table and its assumptions."""
    (section,) = (each for each in sections(synthetic_report()) if each.anchor == "capacity-model")
    assert [exhibit.name for exhibit in section.exhibits] == ["needs", "component-limits"]
    page = with_decisions(f"{BEGIN}{END}", synthetic_report())
    for row in section.exhibits[0].table.rows:
        assert f"| {' | '.join(row)} |" in page
    assert all(f"- {sentence}" in page for sentence in ASSUMPTIONS)
