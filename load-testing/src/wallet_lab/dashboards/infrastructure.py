"""What the services stand on: databases, cache, broker. Who tells it differs between the lab and Docker."""

from wallet_lab.dashboards.panel import Dashboard, Panel, Query, Row, per_second

_COMPONENT = "{{architecture}} {{component}}"
_EXPORTED = "{{architecture}} {{instance}}"
_OURS = '{datname=~"shard_.+|events|read_.+"}'

_COMPONENTS = Row(
    "Components, seen from outside",
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
            title="Memory of its own",
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
            title="Messages that wait in a queue",
            queries=(Query("sum by (queue) (rabbitmq_queue_messages_ready)", "{{queue}}"),),
            unit="short",
            source="rabbitmq",
        ),
        Panel(
            title="Messages delivered and not acknowledged",
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
    "Postgres, by its exporter",
    (
        Panel(
            title="Transactions a second",
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
            title="Size of the database",
            queries=(Query(f"pg_database_size_bytes{_OURS}", _EXPORTED),),
            unit="bytes",
            source="postgres-exporter",
        ),
    ),
)
_REDIS = Row(
    "Redis, by its exporter",
    (
        Panel(
            title="Commands a second",
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
