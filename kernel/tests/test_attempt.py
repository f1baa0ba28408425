"""Requests without an outcome."""

from uuid import uuid4

from wallet_kernel.attempt import Attempt, NoOutcome


def test_request_that_was_not_sent_is_not_done() -> None:
    """A new attempt is certainly not done, and NoOutcome says so."""
    transaction_id = uuid4()
    error = NoOutcome(transaction_id, may_be_done=Attempt().may_be_done)
    assert (error.transaction_id, error.may_be_done, str(error)) == (
        transaction_id,
        False,
        str(transaction_id),
    )
