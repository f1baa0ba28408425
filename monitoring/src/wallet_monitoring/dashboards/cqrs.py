"""The dashboard of event-driven CQRS: an event from the command to the read model."""

from wallet_monitoring.dashboards.panel import (
    Dashboard,
    Panel,
    Query,
    Row,
    cache_hit_rate,
    per_second,
    percentiles,
)
from wallet_monitoring.dashboards.service_panels import batches, processes

_HEAD = "max(wallet_log_head)"
_POSITION = "max by (partition) (wallet_projection_position)"
_AS_OF = "max by (partition) (wallet_projection_as_of_seconds > 0)"

_EVENTS = Row(
    "From append to read model",
    (
        Panel(
            title="Events per second",
            queries=(
                Query(per_second("wallet_events_appended_total", "architecture"), "appended"),
                Query(per_second("wallet_relay_events_total", "architecture"), "confirmed by the broker"),
                Query(per_second("wallet_projected_events_total", "architecture"), "in the read model"),
            ),
            unit="ops",
        ),
        Panel(
            title="Events in backlog",
            queries=(
                Query(f"clamp_min({_HEAD} - max(wallet_relay_position), 0)", "for the relay"),
                Query(f"clamp_min(scalar({_HEAD}) - {_POSITION}, 0)", "for partition {{partition}}"),
            ),
            unit="short",
        ),
        Panel(
            title="Staleness of the read model",
            description="Heartbeats come every second, so an idle partition can be up to a second stale.",
            queries=(Query(f"clamp_min(time() - {_AS_OF}, 0)", "partition {{partition}}"),),
            unit="s",
        ),
        Panel(
            title="Delay from append to visible",
            queries=percentiles("wallet_visible_seconds", "architecture", '{architecture="cqrs"}'),
            unit="s",
        ),
        Panel(
            title="Broker time per event group",
            queries=percentiles("wallet_broker_seconds", "instance"),
            unit="s",
        ),
        Panel(
            title="Relays and partitions",
            queries=(
                Query("sum(wallet_relay_active)", "active relays"),
                Query("sum(wallet_projection_stopped)", "stopped partitions"),
            ),
            unit="none",
        ),
    ),
)
_COMMANDS = Row(
    "Commands",
    (
        Panel(
            title="Commands per second",
            queries=(
                Query(per_second("wallet_commands_total", "command, outcome"), "{{command}}: {{outcome}}"),
            ),
            unit="ops",
        ),
        *batches("cqrs"),
        Panel(
            title="Wallets in memory",
            queries=(Query("wallet_cached_wallets", "{{instance}}"),),
            unit="short",
        ),
        Panel(
            title="Replicas and snapshots",
            queries=(
                Query(
                    per_second("wallet_events_caught_up_total", "instance"), "{{instance}} events caught up"
                ),
                Query(per_second("wallet_snapshots_total", "result"), "snapshots {{result}}"),
            ),
            unit="ops",
        ),
        Panel(
            title="Resent commands per second",
            queries=(
                Query(per_second('wallet_retries_total{architecture="cqrs"}', "instance"), "{{instance}}"),
            ),
            unit="ops",
        ),
    ),
)
_REPAIR = Row(
    "Failures and recoveries",
    (
        Panel(
            title="Projection: duplicate and missing messages per second",
            queries=(
                Query(per_second("wallet_projection_duplicates_total", "partition"), "{{partition}} twice"),
                Query(per_second("wallet_projection_gaps_total", "partition"), "{{partition}} gaps filled"),
            ),
            unit="ops",
        ),
        Panel(
            title="Relay: restarts and undelivered messages per second",
            queries=(
                Query(per_second("wallet_relay_restarts_total", "instance"), "{{instance}} restarted"),
                Query(
                    per_second("wallet_relay_refused_total", "partition"), "{{partition}} refused: queue full"
                ),
                Query(
                    per_second("wallet_relay_left_out_total", "partition"),
                    "{{partition}} skipped: queue unresponsive",
                ),
                Query(
                    per_second("wallet_queues_replaced_total", "partition"), "{{partition}} queues replaced"
                ),
            ),
            unit="ops",
        ),
        Panel(
            title="Redis timeouts and errors per second",
            queries=(
                Query(
                    per_second('wallet_cache_failures_total{service="projection"}', "instance"),
                    "{{instance}}",
                ),
            ),
            unit="ops",
        ),
    ),
)
_READS = Row(
    "Reads",
    (
        Panel(
            title="Share of balance reads from the cache",
            queries=(Query(cache_hit_rate("instance"), "{{instance}}"),),
            unit="percentunit",
        ),
        Panel(
            title="Balance streams", queries=(Query("wallet_balance_streams", "{{instance}}"),), unit="short"
        ),
        Panel(
            title="Time per read",
            queries=percentiles("wallet_request_seconds", "operation", '{service="query"}'),
            unit="s",
        ),
    ),
)

CQRS = Dashboard(
    "wallet-cqrs",
    "Wallet: event-driven CQRS",
    "Command, relay, projection and query services.",
    (_EVENTS, _COMMANDS, _REPAIR, _READS, processes("cqrs")),
)
