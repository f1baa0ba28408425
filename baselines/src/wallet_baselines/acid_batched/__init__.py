"""One Postgres, one transaction per batch of requests."""
