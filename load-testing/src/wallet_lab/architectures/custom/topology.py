"""The processes of a user's stack, in the order of its description."""

import os
from pathlib import Path

from wallet_lab.architectures.adapter import Plan
from wallet_lab.architectures.custom.description import Description, Process
from wallet_lab.stack.components import Component, Entry, HttpProbe, PortProbe, Stack, Stage
from wallet_lab.stack.ports import PortChooser
from wallet_lab.stack.request import Request


def component_of(process: str) -> str:
    """Return the component name of a process."""
    return f"{process}-0"


def plan(description: Description, folder: Path, request: Request, data: Path, ports: PortChooser) -> Plan:
    """Choose the ports, and make the folder for the stack's data."""
    data.mkdir(parents=True, exist_ok=True)
    chosen = {name: ports.choose(usual) for name, usual in description.ports.items()}
    words = {"folder": str(folder), "data": str(data), **{name: str(port) for name, port in chosen.items()}}
    url, read_url = (
        _filled(text, words) for text in (description.url, description.read_url or description.url)
    )
    stages = tuple(
        Stage((_component(description.name, process, chosen[process.port], folder, words, request),))
        for process in description.process
    )
    direct = Entry((url,), (read_url,)) if description.read_url else None
    return Plan(stack=Stack(description.name, url, stages, behind_gateway=direct))


def _component(
    stack: str, process: Process, port: int, folder: Path, words: dict[str, str], request: Request
) -> Component:
    name, kind = component_of(process.name), f"{stack}-{process.name}"
    own = {"PATH": os.environ.get("PATH", os.defpath), **process.env}
    return Component(
        name=name,
        kind=kind,  # not the process's name alone, because the lab knows how to ask its own kinds of servers
        argv=tuple(_filled(argument, words) for argument in process.argv),
        env={
            **{key: _filled(text, words) for key, text in own.items()},
            **request.extra_variables(kind, name),
        },
        cwd=folder,
        port=port,
        url=f"http://127.0.0.1:{port}",
        probe=HttpProbe(port, process.ready) if process.ready else PortProbe(port),
    )


def _filled(text: str, words: dict[str, str]) -> str:
    """Replace each known word in braces. Other braces stay, for example those of JSON."""
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text
