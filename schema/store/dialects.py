"""The store speaks SQLite's SQL; here a statement becomes one that Postgres understands, with the same answer.

The statement is parsed, the few places where the two differ are rewritten in its tree, and it is written again:
values stay bound, and a function that has no equal is refused instead of guessed. The functions named `lite_…`
stand in `postgres.sql`. JSON values are compared as SQLite does it: any number before any text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import sqlglot
from sqlglot import exp

_BEGIN: Final = "BEGIN IMMEDIATE"
_PREFIX: Final = "lite_"
# SQLite's functions that have an equal in `postgres.sql`, under this name with the prefix.
_FUNCTIONS: Final = frozenset(
    {
        *("json", "json_each", "pragma_table_info", "pragma_foreign_key_list"),
        *("pragma_page_count", "pragma_page_size"),
    }
)


class UntranslatableError(Exception):
    """The store's own SQL uses what is not known here: a mistake of ours, found by the contract's tests."""


@lru_cache(maxsize=512)
def for_postgres(sql: str) -> str | None:
    """The statement for psycopg; None where Postgres needs nothing of the kind.

    Raises:
        UntranslatableError: it uses something that has no equal.
    """
    if sql.startswith("PRAGMA"):
        return None
    if sql == _BEGIN:
        return "BEGIN"
    if "%" in sql:
        raise UntranslatableError(f"a literal % would be taken for a value: {sql}")
    tree = sqlglot.parse_one(sql, read="sqlite")
    # From the leaves up: a rule sees its operands as they will be.
    for node in reversed(list(tree.walk())):
        for kind, rule in _RULES.items():
            if isinstance(node, kind):
                changed = rule(node)
                if changed is node:
                    continue
                if node is tree:
                    tree = changed
                else:
                    node.replace(changed)
                break
    return tree.sql(dialect="postgres")


def _helper(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=_PREFIX + name, expressions=list(arguments))


def _is_helper(node: object, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name == _PREFIX + name


def _function(node: exp.Expression) -> exp.Expression:
    if node.name.startswith(_PREFIX):
        return node
    if node.name.lower() not in _FUNCTIONS:
        raise UntranslatableError(f"no equal of {node.name} is known for Postgres")
    return _helper(node.name.lower(), *node.expressions)


def _extracted(node: exp.Expression) -> exp.Expression:
    path = node.expression
    if isinstance(path, exp.JSONPath):
        path = exp.Literal.string(path.sql(dialect="sqlite").strip("'"))
    return _helper("json_extract", node.this, path)


def _set(node: exp.Expression) -> exp.Expression:
    return _helper("json_set", node.this, *node.expressions)


def _is_json_value(node: exp.Expression) -> bool:
    """Whether it gives what stands in JSON: a number, a text or nothing, of no declared type."""
    if isinstance(node, exp.Column):
        return node.name == "value"
    if isinstance(node, exp.Case):
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        return any(_is_json_value(branch) for branch in [*branches, node.args.get("default") or exp.null()])
    if isinstance(node, exp.Subquery):
        return _is_json_value(node.this.selects[0])
    if isinstance(node, exp.Alias | exp.Paren):
        return _is_json_value(node.this)
    return _is_helper(node, "json_extract")


def _compared(node: exp.Expression) -> exp.Expression:
    left, right = node.this, node.expression
    if isinstance(right, exp.Collate):
        # NOCASE, the only one in use.
        return exp.EQ(this=exp.Lower(this=left), expression=exp.Lower(this=right.this))
    if _is_json_value(left) and not _is_json_value(right) and not isinstance(right, exp.Null):
        return type(node)(this=left, expression=_helper("value_of", right))
    return node


def _is(node: exp.Expression) -> exp.Expression:
    if isinstance(node.this, exp.Placeholder) and isinstance(node.expression, exp.Null):
        # Of a value that is only asked whether it is there, Postgres wants to know the type.
        return exp.Is(this=exp.cast(node.this, "text"), expression=node.expression)
    return node


def _among(node: exp.Expression) -> exp.Expression:
    """`IN (SELECT value FROM json_each(?))`: these are ids, so texts."""
    query = node.args.get("query")
    if node.this.name == "rowid" and isinstance(query, exp.Subquery):
        # As a list it leads into the index of row ids, once for each row beside it.
        return exp.EQ(this=node.this, expression=exp.Any(this=exp.paren(exp.func("ARRAY", query.this))))
    source = query.this.args.get("from_") if isinstance(query, exp.Subquery) else None
    each = source.this.this if source is not None and isinstance(source.this, exp.Table) else None
    if each is None or not _is_helper(each, "json_each"):
        return node
    texts = exp.select(exp.column(_PREFIX + "json_texts")).from_(
        exp.Table(this=_helper("json_texts", each.expressions[0]))
    )
    return exp.In(this=node.this, query=texts.subquery())


def _sum(node: exp.Expression) -> exp.Expression:
    if isinstance(node.this, exp.Predicate | exp.Connector | exp.Not):
        return exp.Sum(this=exp.cast(exp.paren(node.this), "int"))
    return node


def _condition(node: exp.Expression) -> exp.Expression:
    """A bare 1 or 0 where something true or false must stand."""
    for name in ("this", "expression"):
        part = node.args.get(name)
        if isinstance(part, exp.Literal) and not part.is_string:
            node.set(name, exp.Boolean(this=part.name != "0"))
    return node


def _table(node: exp.Expression) -> exp.Expression:
    node.set("indexed", None)
    return node


def _join(node: exp.Expression) -> exp.Expression:
    # SQLite's CROSS JOIN keeps the order of tables; its condition makes it an inner one.
    if node.args.get("kind") == "CROSS" and node.args.get("on") is not None:
        node.set("kind", None)
    return node


def _conflict(node: exp.Expression) -> exp.Expression:
    keys = [key.this if isinstance(key, exp.Ordered) else key for key in node.args["conflict_keys"]]
    node.set("conflict_keys", keys)
    return node


def _limit(node: exp.Expression) -> exp.Expression:
    if isinstance(node.expression, exp.Placeholder):
        # -1: without an end.
        endless = exp.Nullif(this=exp.cast(node.expression, "bigint"), expression=exp.Literal.number(-1))
        return exp.Limit(expression=endless)
    return node


_RULES: Final[Mapping[type[exp.Expression], Callable[[exp.Expression], exp.Expression]]] = {
    exp.Anonymous: _function,
    exp.JSONExtract: _extracted,
    exp.JSONExtractScalar: _extracted,
    exp.JSONSet: _set,
    exp.Is: _is,
    exp.In: _among,
    exp.EQ: _compared,
    exp.NEQ: _compared,
    exp.LT: _compared,
    exp.LTE: _compared,
    exp.GT: _compared,
    exp.GTE: _compared,
    exp.Sum: _sum,
    exp.Where: _condition,
    exp.And: _condition,
    exp.Or: _condition,
    exp.Table: _table,
    exp.Join: _join,
    exp.OnConflict: _conflict,
    exp.Limit: _limit,
}
