"""The commands that only cqrs has: rebuild the read model, compare it with the events, start a new epoch."""

from wallet_lab.architectures.adapter import OwnCommand
from wallet_lab.architectures.cqrs.topology import EVENT_STORE, read_shard
from wallet_lab.stack.addresses import Addresses
from wallet_lab.stack.components import Command, python_module


def _command(name: str, explanation: str, *arguments: str) -> OwnCommand:
    def native(addresses: Addresses) -> Command:
        reads = [read_shard(number) for number in range(addresses.shards)]
        env = {
            "WALLET_EVENT_STORE_URL": addresses.client_url(EVENT_STORE, "wallet_service"),
            # It creates and renames schemas, so it alone runs as the owner of the database.
            "WALLET_READ_URLS": ",".join(addresses.client_url(read, "wallet_owner") for read in reads),
        }
        return Command(name=name, argv=(*python_module("wallet_cqrs.rebuild"), *arguments), env=env)

    return OwnCommand(name=name, help=explanation, native=native, compose=("rebuild", *arguments))


COMMANDS = (
    _command(
        "rebuild",
        "Rebuild the read model of cqrs from the events, then swap it with the live one. Clients are not interrupted.",
    ),
    _command(
        "verify",
        "Compare the read model of cqrs with the events, row by row. Exits with 0 only if they are equal.",
        "--verify",
    ),
    _command(
        "new-epoch",
        "Start a new epoch of cqrs' log. Use it if './lab rebuild' refuses a restored event store.",
        "--new-epoch",
    ),
)
