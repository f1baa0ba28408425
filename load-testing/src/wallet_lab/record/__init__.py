"""The record of calls: the requests of clients, their times and their answers. load-testing/lib/record.js writes it."""
