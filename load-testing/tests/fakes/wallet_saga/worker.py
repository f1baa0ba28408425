"""A fake worker."""

from wallet_saga.server import serve

serve()
