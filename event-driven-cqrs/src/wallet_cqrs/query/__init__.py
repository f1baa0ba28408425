"""The query service: balances from Redis or the read model, statements, past balances, and balance streams."""
