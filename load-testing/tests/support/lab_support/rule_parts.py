"""Splits the rules into their smallest parts: each branch of a UNION ALL, and each operand of an OR in its WHERE."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from wallet_lab.checker.check import Rule

Node = dict[str, Any]


def parts(rule: Rule) -> Iterator[str]:
    """Yield the query of each part. If a part finds nothing, the rest of the rule is as good without it."""
    with duckdb.connect() as database:
        tree = database.execute("SELECT json_serialize_sql($1)", [rule.sql]).fetchall()[0][0]
        whole = json.loads(tree)["statements"][0]["node"]
        for branch in _branches(whole):
            for part in _alternatives(branch | {"cte_map": whole["cte_map"]}):
                (sql,) = database.execute("SELECT json_deserialize_sql($1)", [_statement(part)]).fetchall()[0]
                yield sql


def _branches(node: Node) -> Iterator[Node]:
    if node["type"] != "SET_OPERATION_NODE":
        yield node
        return
    for child in node["children"]:
        yield from _branches(child)


def _alternatives(select: Node) -> Iterator[Node]:
    where = select["where_clause"]
    for one in _disjuncts(where) if where else [where]:
        yield select | {"where_clause": one}


def _disjuncts(where: Node) -> Iterator[Node]:
    """Yield the condition once for each operand of its first OR."""
    if where["type"] == "CONJUNCTION_OR":
        yield from where["children"]
        return
    operands = where["children"] if where["type"] == "CONJUNCTION_AND" else []
    place = next((n for n, one in enumerate(operands) if one["type"] == "CONJUNCTION_OR"), None)
    if place is None:
        yield where
        return
    for one in operands[place]["children"]:
        yield where | {"children": [*operands[:place], one, *operands[place + 1 :]]}


def _statement(node: Node) -> str:
    return json.dumps({"error": False, "statements": [{"node": node, "named_param_map": []}]})
