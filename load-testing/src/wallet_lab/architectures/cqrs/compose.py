"""The components of cqrs by the services of docker-compose.cqrs.yml."""

from wallet_lab.architectures.cqrs.topology import EVENT_STORE, read_shard


def component(service: str, replica: int) -> tuple[str, str, int | None] | None:
    """Return name, kind and shard of a container's component; None for one-shots and monitoring."""
    match service.split("-"):
        case ["gateway" | "redis" | "rabbitmq"]:
            return service, service, None
        case ["events"]:
            return EVENT_STORE, "postgres", None
        case ["read", number] if number.isdigit():
            return read_shard(int(number)), "postgres", int(number)
        case ["command" | "relay" | "projection" | "query"]:
            return f"{service}-{replica - 1}", service, None
    return None
