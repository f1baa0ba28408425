"""The compose files: published ports, limits of the containers, and no passwords."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.docker.conftest import ARCHITECTURES, services_of
from wallet_lab.stack.backends.containers import Project, docker

pytestmark = pytest.mark.docker
Services = dict[str, dict[str, Any]]
ONE_SHOTS = ("secrets", "migrations", "rebuild")


def staying(services: Services) -> Services:
    """The services that keep running, without the one-shot ones."""
    return {name: one for name, one in services.items() if not name.startswith(ONE_SHOTS)}


def is_ours(service: dict[str, Any]) -> bool:
    """Whether the service runs an image of this repository."""
    return str(service["image"]).startswith("wallet-")


def test_one_service_builds_the_image_and_all_others_wait_for_it(services: Services) -> None:
    """One service builds the image and the others wait for it, so there is one image per stack and none is pulled."""
    ours = {name: one for name, one in services.items() if is_ours(one)}
    assert len({one["image"] for one in ours.values()}) == 1
    assert [name for name, one in ours.items() if "build" in one] == ["secrets"]
    assert {one["pull_policy"] for one in ours.values()} == {"never"}
    for name in ours.keys() - {"secrets", "rebuild"}:
        assert "secrets" in needs(services, name), name


def needs(services: Services, name: str) -> set[str]:
    """The direct and indirect dependencies of a service."""
    found = set(services[name].get("depends_on", ()))
    return found.union(*(needs(services, other) for other in found))


def test_only_the_gateway_is_published(services: Services) -> None:
    """The only published port is the gateway's, on the loopback. Databases and internal routes have none."""
    published = {name: one["ports"] for name, one in services.items() if one.get("ports")}
    assert list(published) == ["gateway"]
    assert [port["host_ip"] for port in published["gateway"]] == ["127.0.0.1"]


def test_only_the_gateway_reaches_the_outside(services: Services) -> None:
    """Every service except the gateway is only on the internal network, which has no way out."""
    elsewhere = {name for name, one in services.items() if set(one.get("networks", {})) - {"internal"}}
    assert elsewhere == {"gateway"}


def test_every_container_is_confined(services: Services) -> None:
    """Each container has no capabilities, no new privileges, a read-only root, and bounded resources and logs."""
    for name, one in services.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert int(one["mem_limit"]) > 0, name
        assert one["cpus"] > 0, name
        assert one["pids_limit"] > 0, name
        assert one["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_long_running_services_restart_and_have_a_health_check(services: Services) -> None:
    """Services restart after a crash, have a health check, and have time to finish when stopped."""
    for name, one in staying(services).items():
        assert one["restart"] == "unless-stopped", name
        assert one["stop_grace_period"], name
        assert "healthcheck" in one or is_ours(one), (
            f"{name}: no health check in the compose file or the image"
        )


def test_foreign_images_are_pinned_and_without_root(services: Services) -> None:
    """Every foreign image has a pinned version and runs as a non-root user."""
    foreign = {name: one for name, one in services.items() if not is_ours(one)}
    assert foreign
    for name, one in foreign.items():
        assert re.search(r":\d", one["image"]), name
        assert one["user"] not in {"", "root", "0"}, name


def test_compose_files_contain_no_password(services: Services) -> None:
    """Addresses take passwords from files. Variables named PASS or SECRET hold a file's path or nothing."""
    for name, one in services.items():
        for variable, value in (one.get("environment") or {}).items():
            for password in re.findall(r"://[^:/@]*:([^@]*)@", value or ""):
                assert re.fullmatch(r"\{file:/run/secrets/[a-z_/]+\}", password), (name, variable)
            if re.search("PASS|SECRET", variable):
                assert value == "" or "/run/secrets/" in value, (name, variable)


def test_no_two_databases_have_the_same_name(services: Services) -> None:
    """Every database has its own name, so a server at another's address rejects connections meant for the other."""
    databases = databases_of(services)
    assert len(set(databases.values())) == len(databases) >= 1
    for name, one in services.items():
        for value in (one.get("environment") or {}).values():
            for host, database in re.findall(r"@([\w-]+)/(\w+)", value or ""):
                assert databases[host] == database, name


def databases_of(services: Services) -> dict[str, str]:
    """The database name of each Postgres server."""
    return {
        name: one["environment"]["PGDATABASE"]
        for name, one in services.items()
        if one["image"].startswith("postgres:")
    }


def test_each_kind_of_service_has_its_own_port(services: Services) -> None:
    """Each kind of service has its own port, so a container that gets another's address gets none of its requests."""
    upstreams = " ".join(services["gateway"]["environment"].values())
    called = dict(re.findall(r"name (\w+)\s+port (\d+)", upstreams))
    assert called
    assert len(set(called.values())) == len(called)
    for name, port in called.items():
        listens = services[name]["environment"].get(
            "WALLET_PUBLIC_PORT", "3000"
        )  # the default of the setting
        assert listens == port, name


def test_exporters_use_the_names_of_the_databases() -> None:
    """The exporters of monitoring/ use the servers' and databases' names of the stacks."""
    config = json.loads(docker("compose", "config", "--format", "json"))["services"]
    sources = {
        name: one["environment"]["DATA_SOURCE_URI"]
        for name, one in config.items()
        if "DATA_SOURCE_URI" in one.get("environment", {})
    }
    expected = {
        f"{architecture}-{host}-exporter": f"{host}:5432/{database}?sslmode=disable"
        for architecture in ARCHITECTURES
        for host, database in databases_of(services_of(architecture)).items()
    }
    assert sources == expected


def test_only_services_that_change_schemas_have_the_owners_password(services: Services) -> None:
    """Services that answer requests cannot read the database owner's password."""
    holders = {
        name
        for name, one in services.items()
        if any(volume.get("source") == "owner-secrets" for volume in one.get("volumes", []))
    }
    assert all(name.startswith((*ONE_SHOTS, "postgres", "events", "read")) for name in holders)


def test_values_of_the_env_file_reach_the_stack() -> None:
    """The values in .env reach the stack: a port, API keys, a password."""
    env = {"WALLET_SAGA_PORT": "3456", "WALLET_API_KEYS": "mine", "WALLET_SECRET_REDIS": "chosen-by-the-user"}
    config = json.loads(Project("saga", "test", env).compose("config", "--format", "json"))["services"]
    assert config["gateway"]["ports"][0]["published"] == "3456"
    assert config["orchestrator"]["environment"]["WALLET_API_KEYS"] == "mine"
    assert config["secrets"]["environment"]["WALLET_SECRET_REDIS"] == "chosen-by-the-user"
