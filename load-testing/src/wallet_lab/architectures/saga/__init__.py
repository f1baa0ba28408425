"""The saga as the lab sees it."""
