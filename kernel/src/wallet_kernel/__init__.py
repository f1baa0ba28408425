"""The code that both wallet architectures share: money, the HTTP contract, batching, and the service runtime."""
