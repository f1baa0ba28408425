"""Code shared by the black-box suites: an exact HTTP client, the stack under test, load and the record of answers."""
