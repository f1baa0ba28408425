"""The HTTP contract, identical for both architectures: requests, answers, problems, and its OpenAPI document."""
