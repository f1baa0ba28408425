"""The service runtime: settings, JSON logs, health and metrics routes, graceful drain."""
