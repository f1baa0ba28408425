"""One Postgres, one transaction per request."""
