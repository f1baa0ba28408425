"""The effect on clients while replicas restart or while many clients read. These tests start their own stacks."""
