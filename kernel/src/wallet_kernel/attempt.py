"""Records whether a request that has no outcome at its deadline may have been done."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(slots=True)
class Attempt:
    """Whether any part of a request may have been done while the request has no outcome."""

    may_be_done: bool = False


class NoOutcome(Exception):
    """The request had no outcome before its deadline. `may_be_done` is False if it was certainly not done."""

    def __init__(self, transaction_id: UUID | None, *, may_be_done: bool) -> None:
        super().__init__(str(transaction_id))
        self.transaction_id = transaction_id
        self.may_be_done = may_be_done
