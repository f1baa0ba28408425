"""The evidence of a run: a folder with one Parquet file per relation, which DuckDB reads."""

import csv
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from wallet_lab.checker.schema import RELATIONS, Column, Relation

NULL = r"\N"
"""NULL in CSV files between Postgres or Python and DuckDB. No text of a relation has this value."""
MEMORY_LIMIT = "4GB"
"""DuckDB's working memory. It writes larger intermediate results to disk."""


def opened(folder: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with every relation: those of the folder, and empty ones for files that are missing.

    Raises:
        duckdb.Error: a file is not Parquet, or its columns are not those of the relation.
    """
    database = duckdb.connect()
    database.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    database.execute("SET enable_progress_bar = false")  # it would be part of the command's output
    for relation in RELATIONS:
        database.execute(relation.ddl)
        if folder is not None and (file := _file(folder, relation)).exists():
            columns = ", ".join(column.name for column in relation.columns)
            database.execute(
                f"INSERT INTO {relation.name} ({columns}) SELECT {columns} FROM read_parquet($1)",  # noqa: S608 -- names of the schema
                [str(file)],
            )
    return database


def save(database: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write every relation into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for relation in RELATIONS:
        target = str(_file(folder, relation)).replace("'", "''")
        columns = ", ".join(map(_stored, relation.columns))
        database.execute(
            f"COPY (SELECT {columns} FROM {relation.name}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608 -- names of the schema
        )


def _stored(column: Column) -> str:
    """Return a column as Parquet keeps it exactly. DuckDB would write HUGEINT as a binary float."""
    return f"{column.name}::DECIMAL(38, 0) AS {column.name}" if column.type == "HUGEINT" else column.name


def insert(database: duckdb.DuckDBPyConnection, relation: Relation, rows: Iterable[Sequence[object]]) -> None:
    """Add rows to a relation. Through CSV, because DuckDB's own insertion of Python rows takes 0.5 ms a row."""
    with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerows([NULL if value is None else value for value in row] for row in rows)
        out.flush()
        insert_csv(database, relation, Path(out.name))


def insert_csv(database: duckdb.DuckDBPyConnection, relation: Relation, file: Path) -> None:
    """Add the rows of a CSV file without header to a relation. The columns are those of the relation, in order."""
    if file.stat().st_size == 0:
        return
    columns = ", ".join(f"'{column.name}': '{column.type}'" for column in relation.columns)
    database.execute(
        f"INSERT INTO {relation.name} SELECT * FROM read_csv($1, header = false, delim = ',', quote = '\"', "  # noqa: S608 -- as above
        f"escape = '\"', nullstr = '{NULL}', allow_quoted_nulls = true, auto_detect = false, columns = {{{columns}}})",
        [str(file)],
    )


def _file(folder: Path, relation: Relation) -> Path:
    return folder / f"{relation.name}.parquet"
