"""Wires the baseline acid."""

from functools import partial

from wallet_baselines.acid.wallets import AcidWallets
from wallet_baselines.service import serve
from wallet_baselines.settings import AcidSettings
from wallet_baselines.store import ONE_SHARD


def main() -> None:
    """Runs the service until it receives a stop signal."""
    settings = AcidSettings()
    serve("acid", settings, partial(AcidWallets, settings.url, ONE_SHARD, settings))
