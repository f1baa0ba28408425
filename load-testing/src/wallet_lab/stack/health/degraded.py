"""Reads which parts of the services do not work, although the services are ready."""

import json
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

TIMEOUT_S = 2.0
_WITHOUT_READYZ = frozenset({"postgres", "redis", "rabbitmq", "prometheus", "component-metrics", "gateway"})


def read_degraded(components: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one sentence for each degraded part, such as a stopped partition of a projection."""
    for component in components:
        if component["kind"] in _WITHOUT_READYZ:
            continue
        for part, reason in _degraded(component["port"]).items():
            yield f"{component['name']} is ready, but {part} is not: {' '.join(reason.split())}"


def _degraded(port: int) -> dict[str, str]:
    """Return the reason for each degraded part; none if the service does not answer, because `status` shows that."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_S) as answer:
            document = json.loads(answer.read())
    except (OSError, ValueError):
        return {}
    return dict(document.get("degraded", {})) if isinstance(document, dict) else {}
