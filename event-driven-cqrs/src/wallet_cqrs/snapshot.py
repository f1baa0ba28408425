"""Reads the wallet in a snapshot. A damaged snapshot counts as missing, because the events have the same wallet."""

import logging

from msgspec import DecodeError
from msgspec.json import Decoder

from wallet_cqrs.domain.wallet import Wallet, initial_state

_WALLET = Decoder(Wallet)

_log = logging.getLogger(__name__)


def restored(account_id: str, state: bytes | None) -> Wallet:
    """Returns the wallet in a snapshot, or the initial state without a readable one. Then all events are folded."""
    if state is not None:
        try:
            return _WALLET.decode(state)
        except DecodeError:
            _log.exception("a snapshot is damaged", extra={"account": account_id})
    return initial_state(account_id)
