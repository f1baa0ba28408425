"""Builds the two listeners of a service from its settings: the public port and the internal port."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import Route

from wallet_kernel.runtime.apps import internal_app, public_app
from wallet_kernel.runtime.lifecycle import Lifecycle
from wallet_kernel.runtime.server import DRAIN_KEEP_ALIVE_S, Listener
from wallet_kernel.runtime.settings import PublicSettings, ServiceSettings


def public_listener(
    settings: PublicSettings,
    title: str,
    routes: Sequence[Route],
    document: Mapping[str, Any],
    lifecycle: Lifecycle,
) -> Listener:
    """Returns the listener of the contract's routes and OpenAPI document. Replicas on one machine share its port."""
    app = public_app(title, routes, document, lifecycle, settings.api_keys)
    return Listener(app, settings.public_host, settings.public_port, shared=True, idle_s=DRAIN_KEEP_ALIVE_S)


def internal_listener(
    settings: ServiceSettings, name: str, lifecycle: Lifecycle, routes: Sequence[Route] = ()
) -> Listener:
    """Returns the listener of health, metrics, and internal routes that need the service secret."""
    app = internal_app(name, routes, lifecycle, settings.service_secret.get_secret_value())
    return Listener(app, settings.host, settings.port)
