"""The dashboard of databases, cache and broker. The lab and Docker have different sources of these metrics."""

from wallet_monitoring.dashboards.panel import Dashboard, Panel, Query, Row, per_second

_COMPONENT = "{{architecture}} {{component}}"
_EXPORTED = "{{architecture}} {{instance}}"
_OURS = '{datname=~"shard_.+|events|read_.+"}'

_COMPONENTS = Row(
    "Resources by component",
    (
        Panel(
            title="CPU, cores",
            queries=(
                Query(
                    per_second("wallet_component_cpu_seconds_total", "architecture, component"), _COMPONENT
                ),
            ),
            unit="none",
            source="components",
            stacked=True,
        ),
        Panel(
            title="Memory",
            queries=(Query("wallet_component_memory_bytes", _COMPONENT),),
            unit="bytes",
            source="components",
        ),
        Panel(
            title="Restarts",
            queries=(Query("wallet_component_restarts_total", _COMPONENT),),
            unit="none",
            source="lab",
        ),
    ),
)
_BROKER = Row(
    "RabbitMQ",
    (
        Panel(
            title="Messages ready in queues",
            queries=(Query("sum by (queue) (rabbitmq_queue_messages_ready)", "{{queue}}"),),
            unit="short",
            source="rabbitmq",
        ),
        Panel(
            title="Messages delivered, not acknowledged",
            queries=(Query("sum by (queue) (rabbitmq_queue_messages_unacked)", "{{queue}}"),),
            unit="short",
            source="rabbitmq",
        ),
        Panel(
            title="Memory",
            queries=(Query("rabbitmq_process_resident_memory_bytes", "{{instance}}"),),
            unit="bytes",
            source="rabbitmq",
        ),
    ),
)
_POSTGRES = Row(
    "Postgres (exporter)",
    (
        Panel(
            title="Transactions per second",
            queries=(
                Query(
                    per_second(f"pg_stat_database_xact_commit{_OURS}", "architecture, instance"),
                    _EXPORTED,
                ),
            ),
            unit="ops",
            source="postgres-exporter",
        ),
        Panel(
            title="Connections",
            queries=(Query(f"pg_stat_database_numbackends{_OURS}", _EXPORTED),),
            unit="short",
            source="postgres-exporter",
        ),
        Panel(
            title="Database size",
            queries=(Query(f"pg_database_size_bytes{_OURS}", _EXPORTED),),
            unit="bytes",
            source="postgres-exporter",
        ),
    ),
)
_REDIS = Row(
    "Redis (exporter)",
    (
        Panel(
            title="Commands per second",
            queries=(Query("rate(redis_commands_processed_total[$__rate_interval])", _EXPORTED),),
            unit="ops",
            source="redis-exporter",
        ),
        Panel(
            title="Memory",
            queries=(Query("redis_memory_used_bytes", _EXPORTED),),
            unit="bytes",
            source="redis-exporter",
        ),
        Panel(
            title="Keys",
            queries=(Query("sum by (architecture, instance) (redis_db_keys)", _EXPORTED),),
            unit="short",
            source="redis-exporter",
        ),
    ),
)

INFRASTRUCTURE = Dashboard(
    "wallet-infrastructure",
    "Wallet: infrastructure",
    "Databases, cache and broker of both architectures.",
    (_COMPONENTS, _BROKER, _POSTGRES, _REDIS),
)
