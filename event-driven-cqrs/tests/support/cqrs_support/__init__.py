"""What the tests of the event-driven architecture share."""
