"""Wires the baseline acid-batched."""

from functools import partial

from wallet_baselines.acid_batched.wallets import BatchedWallets
from wallet_baselines.service import serve
from wallet_baselines.settings import AcidBatchedSettings
from wallet_baselines.store import ONE_SHARD


def main() -> None:
    """Runs the service until it receives a stop signal."""
    settings = AcidBatchedSettings()
    serve("acid-batched", settings, partial(BatchedWallets, settings.url, ONE_SHARD, settings))
