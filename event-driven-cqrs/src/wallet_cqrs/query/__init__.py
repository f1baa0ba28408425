"""The query service: balances from Redis or the read model, statements, the past, and a stream of changes."""
