"""The addresses of a running stack's servers, with passwords, for audits, maintenance and tests."""

from typing import Any, Literal

from wallet_lab.errors import LabError
from wallet_lab.stack.files import credentials
from wallet_lab.stack.files.credentials import Credentials
from wallet_lab.stack.files.home import StackHome, state_of
from wallet_lab.stack.servers import rabbitmq

Role = Literal["wallet_owner", "wallet_service"]


def database_of(component: str) -> str:
    """Return the database of a server: `postgres-0` has shard_0, `postgres-events` events, `postgres-read-0` read_0.

    The servers of a stack have different database names. If a connection reaches the wrong server, Postgres refuses it.
    """
    which = component.removeprefix("postgres-").replace("-", "_")
    return f"shard_{which}" if which.isdigit() else which


def client_url(kind: str, url: str, known: Credentials, role: Role) -> str:
    """Add the password to the URL of a database, cache or broker; the URL of another component is returned unchanged.

    Args:
        kind: the kind of the component.
        url: its URL without a password.
        known: the stack's passwords.
        role: for databases: their owner (audits, migrations) or the role of the services.
    """
    passwords = {"wallet_owner": known.database_owner, "wallet_service": known.database_service}
    users = {
        "postgres": f"{role}:{passwords[role]}@",
        "redis": f":{known.redis}@",
        "rabbitmq": f"{rabbitmq.USER}:{known.broker}@",
    }
    return url.replace("//", f"//{users.get(kind, '')}")


class Addresses:
    """The addresses that a stack's supervisor recorded."""

    def __init__(self, home: StackHome) -> None:
        """`home` belongs to a stack that is up."""
        self._home = home
        self._credentials = credentials.load(home.secrets)

    @property
    def shards(self) -> int:
        """The number of databases that hold the wallets."""
        return sum(part["kind"] == "postgres" and "shard" in part for part in self._parts())

    def client_url(self, component: str, role: Role = "wallet_owner") -> str:
        """Return the URL of a component with its password, for databases with that of the role."""
        part = self._part(component)
        return client_url(part["kind"], part["url"], self._credentials, role)

    def _part(self, name: str) -> dict[str, Any]:
        for part in self._parts():
            if part["name"] == name:
                return part
        raise LabError(f"{self._home.architecture} has no {name}, or is not up")

    def _parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = state_of(self._home).get("components", [])
        return parts
