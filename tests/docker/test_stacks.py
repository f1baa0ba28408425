"""Both stacks as a user runs them: started from the checkout, loaded, broken, stopped."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.blackbox.lab_stack import LabStack
from wallet_lab.stack.backends.containers import NETWORK, docker
from wallet_lab.stack.backends.docker import DockerStack
from wallet_lab.stack.files.home import checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]
REPLICATED = {"saga": "orchestrator", "cqrs": "command"}
SILENT_S = 5
"""How long a service waits for a database without network before it reconnects."""
MEMBERS = {"saga": "saga", "cqrs": "event-driven-cqrs"}


def inspected(running: DockerStack) -> list[dict[str, Any]]:
    """The result of `docker inspect` for every container of a stack."""
    ids = [container.id for container in running._project.containers()]
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids))
    return found


def load(running: DockerStack, seconds: int = 3) -> subprocess.CompletedProcess[str]:
    """Runs k6 for a short time through the published port. k6 fails unless every answer is a 201."""
    settings = {
        "SCENARIO": "uniform",
        "BASE_URL": running.base_url,
        "WALLETS": "100",
        "VUS": "20",
        "DURATION": f"{seconds}s",
    }
    arguments = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    k6 = Path(sys.executable).with_name("k6")
    script = checkout() / "load-testing/script.js"
    return subprocess.run(
        [k6, "run", "--quiet", *arguments, script], capture_output=True, text=True, check=False
    )


def test_a_load_passes_through_the_published_port(running: DockerStack) -> None:
    """A short k6 run acknowledges every transfer, and the audit finds no violation."""
    done = load(running)
    assert done.returncode == 0, done.stdout + done.stderr
    assert LabStack(running.architecture, running).audit() == []


def test_services_answer_clients_without_the_gateway(running: DockerStack) -> None:
    """The direct entry has the address of every replica, and each one answers the contract."""
    direct = running.direct
    assert len(direct.write_urls) == 2
    for url in direct.write_urls:
        wallet = {"accountId": f"w-{secrets.token_hex(6)}", "currency": "USD"}
        assert httpx.post(f"{url}/wallets", json=wallet).status_code == 201
    for url in direct.read_urls:
        assert httpx.get(f"{url}/wallets/nobody/balance").status_code == 404


def test_replicas_share_the_load(running: DockerStack) -> None:
    """The gateway finds every replica of a scaled service by its name, and each replica gets requests."""
    kind = REPLICATED[running.architecture]
    replicas = {name: url for name, url in running.urls.items() if name.startswith(kind)}
    assert len(replicas) == 2
    load(running)
    for name, url in replicas.items():
        assert acknowledged(url) > 100, name


def acknowledged(url: str) -> float:
    """The number of transfers that a service has answered with 201."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 -- a service of the stack
        text = answer.read().decode()
    found = re.search(
        r'^wallet_requests_total\{operation="transfer",status="201"\} (\S+)$', text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def test_containers_are_not_root_and_have_a_read_only_filesystem(running: DockerStack) -> None:
    """The running containers have a non-root user, no extra capabilities and a read-only root filesystem."""
    for container in inspected(running):
        name = container["Name"]
        assert container["Config"]["User"] not in {"", "0", "root"}, name
        assert container["HostConfig"]["ReadonlyRootfs"] is True, name
        assert set(container["HostConfig"]["CapAdd"] or ()) <= {"NET_BIND_SERVICE"}, name
        assert container["State"]["OOMKilled"] is False, name


def test_environment_and_command_lines_contain_no_password(running: DockerStack) -> None:
    """No password is in an environment or on a command line, where other users of the machine could read it."""
    known = running.credentials
    words = [known.database_owner, known.database_service, known.redis, known.service_secret, known.broker]
    assert all(len(word) == 32 for word in words)
    inspection = json.dumps([(container["Config"], container["Args"]) for container in inspected(running)])
    assert not [word for word in words if word in inspection]
    for pid in running.pids.values():
        assert not [word for word in words if word in Path(f"/proc/{pid}/cmdline").read_text()]


def test_image_has_labels(running: DockerStack) -> None:
    """OCI labels give the project's name, its description, licence and version from pyproject.toml."""
    labels = json.loads(docker("image", "inspect", f"wallet-{running.architecture}"))[0]["Config"]["Labels"]
    text = (checkout() / MEMBERS[running.architecture] / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    prefix = "org.opencontainers.image"
    assert labels[f"{prefix}.version"] == project["version"]
    assert labels[f"{prefix}.title"] == project["name"]
    assert labels[f"{prefix}.description"] == project["description"]
    assert labels[f"{prefix}.licenses"] == project["license"]


def test_a_start_leaves_no_image_without_a_name(running: DockerStack) -> None:
    """A start leaves no untagged image, even though several services share one image."""
    label = f"label=com.docker.compose.project={running._project.name}"
    assert docker("images", "--quiet", "--filter", "dangling=true", "--filter", label) == ""


def test_stacks_cannot_reach_each_other(stacks: Mapping[str, DockerStack]) -> None:
    """Both stacks run at the same time on separate ports and networks; the saga cannot resolve a cqrs host name."""
    saga, cqrs = stacks["saga"], stacks["cqrs"]
    assert saga.base_url != cqrs.base_url
    assert saga.credentials != cqrs.credentials
    orchestrator = saga._container("orchestrator-0").id
    reach = "import socket; socket.getaddrinfo('rabbitmq', 5672)"
    with pytest.raises(Exception, match=r"Name or service not known|name resolution"):
        docker("exec", orchestrator, "python", "-c", reach)


def test_stack_recovers_after_redis_lost_its_network(running: DockerStack) -> None:
    """After a network cut of Redis under load, the stack recovers by itself, and the audit finds no violation."""
    with running.cut_off("redis"):
        load(running, 2)
    running.wait_ready()
    assert load(running, 2).returncode == 0
    assert LabStack(running.architecture, running).audit() == []


@contextlib.contextmanager
def in_place_of(running: DockerStack, name: str, other: str) -> Iterator[None]:
    """Cut `name` off and make its host name resolve to `other`, as can happen when both restart."""
    missing, found = running._container(name), running._container(other)
    network = f"{running._project.name}_{NETWORK}"

    def known_as(*names: str) -> None:
        docker("network", "disconnect", network, found.id)
        docker("network", "connect", *(f"--alias={alias}" for alias in names), network, found.id)

    with running.cut_off(name):
        known_as(found.service, missing.service)
        try:
            yield
        finally:
            known_as(found.service)


def test_gateway_sends_no_write_to_a_query_container(stacks: Mapping[str, DockerStack]) -> None:
    """If a command's address leads to a query container, the gateway sends the write to the other command replica."""
    running = stacks["cqrs"]
    with in_place_of(running, "command-0", "query-0"):
        time.sleep(2)  # the gateway resolves addresses once a second
        done = load(running)
    assert done.returncode == 0, done.stdout + done.stderr
    running.wait_ready()


def test_shard_name_that_leads_to_another_shard_gets_503(running: DockerStack) -> None:
    """If a shard's name leads to the other shard's server, requests for its wallets get 503, never another's data."""
    shards = {"saga": "postgres-{}", "cqrs": "postgres-read-{}"}[running.architecture]
    with httpx.Client(base_url=running.base_url, timeout=30) as client:
        pages = [f"/wallets/{name}/transactions" for name in opened(client, 10)]
        with in_place_of(running, shards.format(0), shards.format(1)):
            deadline_s = time.monotonic() + 2 * SILENT_S
            statuses = []
            while time.monotonic() < deadline_s:
                statuses = [client.get(page).status_code for page in pages]
                assert set(statuses) <= {200, 503}, statuses
            assert set(statuses) == {200, 503}
    running.wait_ready()
    assert load(running, 2).returncode == 0
    assert LabStack(running.architecture, running).audit() == []


def opened(client: httpx.Client, count: int) -> list[str]:
    """Opens wallets and waits until they can be read. Returns their names."""
    names = [f"there-{secrets.token_hex(6)}" for _ in range(count)]
    for name in names:
        answer = client.post("/wallets", json={"accountId": name, "currency": "USD", "balance": 1})
        position = answer.json().get("position", 0)
        assert client.get(f"/wallets/{name}/balance?min_position={position}").status_code == 200
    return names


def test_stop_and_start_keep_passwords_and_data(running: DockerStack) -> None:
    """`docker compose stop` and `up` keep passwords and data, and need no manual step."""
    load(running, 1)
    passwords = running.credentials
    running.stop()
    running.start()
    assert running.credentials == passwords
    assert LabStack(running.architecture, running).audit() == []
    assert load(running, 1).returncode == 0
