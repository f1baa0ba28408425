"""Maps decisions to the contract's responses, each with its position in the log."""

from uuid import UUID

from wallet_cqrs.command.payments import StillLoading
from wallet_cqrs.domain.decisions import Refused
from wallet_cqrs.domain.submissions import Decided, KeyReused, StatusChanged
from wallet_cqrs.read_model import wallet_view
from wallet_kernel.attempt import NoOutcome
from wallet_kernel.contract.problems import Problem, refused
from wallet_kernel.contract.responses import (
    REPLAYED,
    WalletView,
    at_position,
    transfer_succeeded,
    wallet_opened,
    wallet_response,
)
from wallet_kernel.http import Response
from wallet_kernel.refusals import Refusal


def money_response(owner: str, transaction_id: UUID, outcome: Decided | KeyReused) -> Response:
    """Returns the response to a transfer, deposit or withdrawal. Raises Problem if it was refused."""
    decided, replayed = _decided(owner, transaction_id, outcome)
    return at_position(transfer_succeeded(decided.transaction_id, replayed=replayed), decided.last_position)


def opening_response(account_id: str, transaction_id: UUID, outcome: Decided | KeyReused) -> Response:
    """Returns the response to an opening. A replay shows the wallet right after its opening."""
    decided, replayed = _decided(account_id, transaction_id, outcome)
    wallet = WalletView(
        account_id=account_id,
        currency=decided.currency,
        balance_micros=decided.amount_micros,
        version=1,
        status="active",
        updated_at=decided.at,
    )
    return at_position(
        wallet_opened(decided.transaction_id, wallet, replayed=replayed), decided.last_position
    )


def status_response(outcome: StatusChanged | Refused) -> Response:
    """Returns the wallet after a change of its status. Raises Problem if the change was refused."""
    if isinstance(outcome, Refused):
        raise refused(outcome.reason, outcome.account_id)
    return at_position(wallet_response(wallet_view(outcome.wallet)), outcome.position)


def no_outcome(error: NoOutcome) -> Problem:
    """Returns the problem for a command that missed its deadline: not done, or outcome unknown."""
    if isinstance(error, StillLoading):
        return Problem(
            "overloaded",
            "The wallets are still being loaded. Nothing was done; send the request again later.",
        )
    if not error.may_be_done:
        return Problem(
            "shard-unavailable", "The event store is unavailable. Nothing was done; send the request again."
        )
    return Problem(
        "outcome-unknown",
        "The event store did not answer in time. The request may have been done:"
        " send it again with the same Idempotency-Key to get its outcome.",
        transaction_id=error.transaction_id,
    )


def _decided(owner: str, transaction_id: UUID, outcome: Decided | KeyReused) -> tuple[Decided, bool]:
    if isinstance(outcome, KeyReused):  # the event store recorded nothing for this request
        raise refused(Refusal.KEY_REUSED, owner)
    replayed = outcome.transaction_id != transaction_id
    if outcome.reason is not None:
        assert outcome.refused_by is not None, "the event store records the wallet of every refusal"
        problem = refused(outcome.reason, outcome.refused_by, outcome.transaction_id)
        problem.headers = REPLAYED if replayed else ()
        raise problem
    return outcome, replayed
