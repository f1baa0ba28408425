"""The record of calls: what clients sent, when, and what they were answered. load-testing/lib/record.js writes it."""
