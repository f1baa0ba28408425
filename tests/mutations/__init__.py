"""Mutations: each removes one safeguard, and a named test must fail."""
