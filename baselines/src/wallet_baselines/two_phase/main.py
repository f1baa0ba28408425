"""Wires the baseline two-phase."""

from functools import partial

from wallet_baselines.service import serve
from wallet_baselines.settings import TwoPhaseSettings
from wallet_baselines.two_phase.wallets import TwoPhaseWallets


def main() -> None:
    """Runs the service until it receives a stop signal."""
    settings = TwoPhaseSettings()
    serve("two-phase", settings, partial(TwoPhaseWallets, settings))
