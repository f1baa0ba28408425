"""Where the parts of a running stack can be reached, with passwords: for audits, maintenance and tests."""

from typing import Any, Literal

from wallet_lab import credentials, postgres, rabbitmq, redis
from wallet_lab.errors import LabError
from wallet_lab.home import StackHome

Role = Literal["wallet_owner", "wallet_service"]

EVENT_STORE = "postgres-events"


def read_shard(number: int) -> str:
    """The component's name of a read shard's database."""
    return f"postgres-read-{number}"


class Addresses:
    """The addresses that a stack's supervisor recorded."""

    def __init__(self, home: StackHome) -> None:
        """`home` is that of a stack that is up."""
        self._home = home
        self._credentials = credentials.load_or_create(home.secrets)

    def database(self, component: str, role: Role) -> str:
        """A database as the owner (audits, migrations) or as the services see it."""
        passwords = {
            "wallet_owner": self._credentials.database_owner,
            "wallet_service": self._credentials.database_service,
        }
        return f"postgresql://{role}:{passwords[role]}@127.0.0.1:{self._port(component)}/{postgres.DATABASE}"

    def read_shards(self, role: Role) -> list[str]:
        """The read shards' databases (cqrs), in their order."""
        names = [part["name"] for part in self._components() if part["name"].startswith(read_shard(0)[:-1])]
        return [self.database(read_shard(number), role) for number in range(len(names))]

    @property
    def redis(self) -> str:
        """The cache."""
        return redis.client_url(self._port("redis"), self._credentials.redis)

    @property
    def broker(self) -> str:
        """The message broker (cqrs)."""
        return rabbitmq.client_url(self._port("rabbitmq"), self._credentials)

    def _port(self, name: str) -> int:
        for part in self._components():
            if part["name"] == name:
                return int(part["port"])
        raise LabError(f"{self._home.architecture} has no {name}, or is not up")

    def _components(self) -> list[dict[str, Any]]:
        components: list[dict[str, Any]] = self._home.read("state").get("components", [])
        return components
