"""The saga's components by the services of docker-compose.saga.yml."""


def component(service: str, replica: int) -> tuple[str, str, int | None] | None:
    """Return name, kind and shard of a container's component; None for one-shots and monitoring."""
    match service.split("-"):
        case ["redis"]:
            return service, service, None
        case ["worker" | "postgres" as kind, number] if number.isdigit():
            return service, kind, int(number)
        case ["orchestrator"]:
            return f"{service}-{replica - 1}", service, None
    return None
