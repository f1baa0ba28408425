"""The checker: compares the books, the derived data and the answers of a run with the requests of its clients."""
