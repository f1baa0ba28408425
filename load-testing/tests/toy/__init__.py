"""The smallest architecture: one service and one database, with a transfer in one transaction."""
