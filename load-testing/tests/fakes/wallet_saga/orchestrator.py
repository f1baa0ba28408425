"""A fake orchestrator."""

from wallet_saga.server import serve

serve()
