"""Queries Prometheus for the data since a test began."""

import json
import math
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wallet_lab.architectures import patterns

RATE_INTERVAL = "10s"
"""The value that Grafana would insert for `$__rate_interval`."""

SETTLE_S = 3
K6 = Path(sys.executable).with_name("k6")
SCRIPT = Path(__file__).parents[2] / "load-testing" / "script.js"
SCENARIOS = ("refusals", "mixed")
"""Run one after the other: transfers with every outcome and their compensations, then reads."""


class PrometheusApi:
    """The lab's Prometheus. Queries cover the time since this object was created."""

    def __init__(self, url: str) -> None:
        """`url` is the base URL."""
        self.url = url
        self._since = time.time()

    @property
    def k6_environment(self) -> dict[str, str]:
        """The environment that makes k6 write its metrics to this Prometheus."""
        return {
            "K6_PROMETHEUS_RW_SERVER_URL": f"{self.url}/api/v1/write",
            "K6_PROMETHEUS_RW_TREND_STATS": "p(50),p(95),p(99)",
            "K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s",
        }

    def series(self, expr: str) -> list[dict[str, str]]:
        """The labels of every series with a finite value since the start. Raises ValueError if the query is invalid."""
        window = {"start": self._since, "end": time.time(), "step": 1}
        found = self._ask("query_range", expr.replace("$__rate_interval", RATE_INTERVAL), window)
        return [one["metric"] for one in found if any(math.isfinite(float(v)) for _, v in one["values"])]

    def now(self, expr: str, label: str) -> dict[str, float]:
        """The last value of every series, by a label that is unique per series."""
        return {one["metric"][label]: float(one["value"][1]) for one in self._ask("query", expr, {})}

    def _ask(self, kind: str, expr: str, window: Mapping[str, float]) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": expr, **window})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{kind}?{parameters}") as answer:  # noqa: S310 -- the stack's own
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expr}: {error.read().decode()}") from error
        return found


def settled(server: PrometheusApi) -> None:
    """Waits until Prometheus has scraped the last work, every ledger was checked, and the rules were evaluated."""
    time.sleep(SETTLE_S)
    deadline = time.monotonic() + 40
    while len(server.series("architecture:wallet_books_imbalance_micros:sum")) < len(patterns()):
        assert time.monotonic() < deadline, "the rules were not evaluated"
        time.sleep(0.5)


def load(server: PrometheusApi, base_urls: Mapping[str, str]) -> None:
    """Loads all architectures at the same time. k6 writes its metrics to Prometheus."""
    for scenario in SCENARIOS:
        for process in [_k6(scenario, server, *stack) for stack in base_urls.items()]:
            process.wait(timeout=60)


def _k6(scenario: str, server: PrometheusApi, architecture: str, base_url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *(str(K6), "run", "--quiet", "-o", "experimental-prometheus-rw", str(SCRIPT)),
            *("-e", f"SCENARIO={scenario}", "-e", f"ARCH={architecture}", "-e", f"BASE_URL={base_url}"),
            *("-e", "WALLETS=20", "-e", "VUS=2", "-e", "DURATION=6s", "-e", f"WALLET_PREFIX={scenario}-"),
        ],
        env={**os.environ, **server.k6_environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
