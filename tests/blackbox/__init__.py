"""What the black-box suites share: an exact HTTP client, the stack under test, load and its bookkeeping."""
