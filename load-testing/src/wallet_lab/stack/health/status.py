"""The status of a stack: each component is probed now; recorded health does not count."""

import asyncio
from typing import Any

from wallet_lab.blocking import run_blocking
from wallet_lab.stack.components import AmqpProbe, HttpProbe, PortProbe, PostgresProbe, Probe, RedisProbe
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.home import StackHome, state_of
from wallet_lab.stack.health.readiness import is_ready_itself, shares_with_none

_SHOWN = ("name", "kind", "pid", "port", "url", "shard")


def read_status(home: StackHome) -> dict[str, Any]:
    """Return the stack as `./lab status --json` prints it; no components and no base URL if it is not up."""
    state = state_of(home)
    components = state.get("components", [])
    healthy = run_blocking(_ask_all(home, state))
    shown = [
        {**{key: component[key] for key in _SHOWN if key in component}, "healthy": health}
        for component, health in zip(components, healthy, strict=True)
    ]
    return {"architecture": home.architecture, "base_url": state.get("base_url"), "components": shown}


def is_healthy(status: dict[str, Any]) -> bool:
    """Whether the stack is up and every component answers."""
    components = status["components"]
    return bool(components) and all(component["healthy"] for component in components)


async def _ask_all(home: StackHome, state: dict[str, Any]) -> list[bool]:
    asking = (_ask(home, component, state["supervisor"]) for component in state.get("components", []))
    return list(await asyncio.gather(*asking))


async def _ask(home: StackHome, component: dict[str, Any], supervisor: int) -> bool:
    pid = component["pid"]
    if pid is None or not await is_ready_itself(_probe(home, component), pid):
        return False
    return shares_with_none(component.get("public_port"), supervisor)


def _probe(home: StackHome, component: dict[str, Any]) -> Probe:
    match component["kind"]:
        case "postgres":
            return PostgresProbe(component["port"])
        case "redis":
            return RedisProbe(component["port"], credentials.load(home.secrets).redis)
        case "rabbitmq":
            return AmqpProbe(component["port"])
        case "prometheus":
            return HttpProbe(component["port"], "/-/ready")
        case "component-metrics":
            return HttpProbe(component["port"], "/metrics")
        case _:
            path = component.get("ready", "/readyz")
            return HttpProbe(component["port"], path) if path else PortProbe(component["port"])
