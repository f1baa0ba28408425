"""The components of acid by the services of docker-compose.acid.yml."""

from wallet_lab.architectures.acid.topology import SERVICE, shard
from wallet_lab.architectures.adapter import ComposeFile

_PUBLIC_PORT = 3000


def component(service: str, replica: int) -> tuple[str, str, int | None] | None:
    """Return name, kind and shard of a container's component; None for one-shots and monitoring."""
    match service.split("-"):
        case ["gateway"]:
            return service, service, None
        case ["postgres", number] if number.isdigit():
            return service, "postgres", int(number)
        case [kind] if kind == SERVICE:
            return f"{SERVICE}-{replica - 1}", SERVICE, None
    return None


COMPOSE_FILE = ComposeFile(
    component=component,
    secrets_holder=shard(0),
    writes=(SERVICE, _PUBLIC_PORT),
    reads=(SERVICE, _PUBLIC_PORT),
)
