"""The addresses of a running stack's components, with passwords, for audits, maintenance and tests."""

from typing import Any, Literal

from wallet_lab.errors import LabError
from wallet_lab.stack import credentials
from wallet_lab.stack.home import StackHome, state_of
from wallet_lab.stack.servers import rabbitmq, redis

Role = Literal["wallet_owner", "wallet_service"]

EVENT_STORE = "postgres-events"


def read_shard(number: int) -> str:
    """Return the component name of a read shard's database."""
    return f"postgres-read-{number}"


def database_of(component: str) -> str:
    """Return the database of a server: `postgres-0` has shard_0, `postgres-events` events, `postgres-read-0` read_0.

    The servers of a stack have different database names. If a connection reaches the wrong server, Postgres refuses it.
    """
    which = component.removeprefix("postgres-").replace("-", "_")
    return f"shard_{which}" if which.isdigit() else which


class Addresses:
    """The addresses that a stack's supervisor recorded."""

    def __init__(self, home: StackHome) -> None:
        """`home` belongs to a stack that is up."""
        self._home = home
        self._credentials = credentials.load(home.secrets)

    def database(self, component: str, role: Role) -> str:
        """Return the URL of a database for its owner (audits, migrations) or for the services."""
        passwords = {
            "wallet_owner": self._credentials.database_owner,
            "wallet_service": self._credentials.database_service,
        }
        return str(self._part(component)["url"]).replace("//", f"//{role}:{passwords[role]}@")

    def read_shards(self, role: Role) -> list[str]:
        """Return the URLs of the read shards' databases (cqrs), in order."""
        names = [part["name"] for part in self._components() if part["name"].startswith(read_shard(0)[:-1])]
        return [self.database(read_shard(number), role) for number in range(len(names))]

    @property
    def redis(self) -> str:
        """The URL of the cache."""
        return redis.client_url(self._part("redis")["port"], self._credentials.redis)

    @property
    def broker(self) -> str:
        """The URL of the message broker (cqrs)."""
        return rabbitmq.client_url(self._part("rabbitmq")["port"], self._credentials)

    def _part(self, name: str) -> dict[str, Any]:
        for part in self._components():
            if part["name"] == name:
                return part
        raise LabError(f"{self._home.architecture} has no {name}, or is not up")

    def _components(self) -> list[dict[str, Any]]:
        components: list[dict[str, Any]] = state_of(self._home).get("components", [])
        return components
