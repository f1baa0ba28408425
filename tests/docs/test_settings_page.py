"""docs/settings.md lists exactly the settings of every service, with default and meaning."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import wallet_baselines
import wallet_cqrs
import wallet_saga
from wallet_kernel.runtime.settings import ServiceSettings

ARCHITECTURES = [wallet_saga, wallet_cqrs, wallet_baselines]
HEADINGS = {
    "ServiceSettings": "Every service",
    "PublicSettings": "Services with a public port",
    "OrchestratorSettings": "Saga: orchestrator",
    "WorkerSettings": "Saga: wallet worker",
    "CommandSettings": "CQRS: command service",
    "RelaySettings": "CQRS: relay",
    "ProjectionSettings": "CQRS: projection",
    "QuerySettings": "CQRS: query service",
    "BaselineSettings": "Baselines",
    "AcidSettings": "Baselines: acid",
    "AcidBatchedSettings": "Baselines: acid-batched",
    "TwoPhaseSettings": "Baselines: two-phase",
}
READ_ONCE_BY_A_SCRIPT = {"Saga: migrations", "CQRS: migrations", "Baselines: migrations"}


def settings() -> Iterator[type[ServiceSettings]]:
    """Every settings class, found by importing the architectures' settings modules."""
    for architecture in ARCHITECTURES:
        for module in pkgutil.walk_packages(architecture.__path__, architecture.__name__ + "."):
            if module.name.endswith(".settings"):
                importlib.import_module(module.name)
    waiting: list[type[ServiceSettings]] = [ServiceSettings]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        yield found


def own_fields(kind: type[ServiceSettings]) -> dict[str, FieldInfo]:
    """The settings that a class adds to the inherited ones."""
    return {name: field for name, field in kind.model_fields.items() if name in vars(kind)["__annotations__"]}


def as_written(default: object) -> str:
    """A default as a user writes it in the environment."""
    if default is PydanticUndefined:
        return ""
    return ",".join(default) if isinstance(default, tuple) else str(default)


@pytest.mark.parametrize("kind", list(settings()), ids=lambda kind: kind.__name__)
def test_every_setting_is_documented(
    kind: type[ServiceSettings], settings_page: dict[str, list[list[str]]]
) -> None:
    """A service's section lists exactly its settings, with the code's defaults and descriptions."""
    documented = {
        name: (default, meaning) for name, default, meaning in settings_page[HEADINGS[kind.__name__]]
    }
    fields = own_fields(kind)
    assert documented.keys() == {f"WALLET_{name.upper()}" for name in fields}
    for name, field in fields.items():
        default, meaning = documented[f"WALLET_{name.upper()}"]
        assert default == as_written(field.default), name
        assert meaning.startswith(str(field.description).replace("`", "")), name


def test_no_section_is_left_over(settings_page: dict[str, list[list[str]]]) -> None:
    """The page describes only services that exist."""
    assert settings_page.keys() == set(HEADINGS.values()) | READ_ONCE_BY_A_SCRIPT
