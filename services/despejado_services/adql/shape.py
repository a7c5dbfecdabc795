"""What a syntax tree has to look like before anything is resolved (ADQL 2.1 appendix A)."""

from __future__ import annotations

from sqlglot import exp

from despejado_services.adql.dialect import check_reserved
from despejado_services.adql.text import QueryText

_SELECT_PARTS = frozenset(
    {"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset",
     "distinct", "with_"}
)  # fmt: skip
_SET_PARTS = frozenset(
    {"this", "expression", "distinct", "order", "limit", "offset", "with_", "by_name"}
)
_MANY = 2**31 - 1
_TYPES = {
    exp.DType.CHAR: "VARCHAR",
    exp.DType.VARCHAR: "VARCHAR",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.INT: "INTEGER",
    exp.DType.BIGINT: "BIGINT",
    exp.DType.FLOAT: "REAL",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.TIMESTAMP: "TIMESTAMP",
}


def check(tree: exp.Expr, text: QueryText) -> None:
    """Raise for what sqlglot accepts and ADQL does not have; names are not looked up here."""
    if not isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery)):
        raise text.error(tree, "this is not a query; a query begins with SELECT or WITH")
    for node in tree.walk():
        if isinstance(node, exp.Identifier):
            start = node.meta.get("start")
            if not node.args.get("quoted") and start is not None:
                check_reserved(node.name, start, text)
        elif isinstance(node, exp.Select):
            _check_select(node, node is tree, text)
        elif isinstance(node, exp.SetOperation):
            only(node, _SET_PARTS, text)
            if node.args.get("with_") and node is not tree:
                raise text.error(node, "WITH can only stand at the beginning of the query")
        elif isinstance(node, exp.Join):
            _check_join(node, text)
        elif isinstance(node, exp.Offset):
            whole_number(node.expression, "OFFSET", text)
        elif isinstance(node, exp.Limit):
            only(node, {"expression"}, text)
            whole_number(node.expression, "TOP", text)


def _check_select(node: exp.Select, top: bool, text: QueryText) -> None:
    only(node, _SELECT_PARTS, text)
    if not node.expressions:
        raise text.error(node, "the list of columns after SELECT is empty")
    if not node.args.get("from_"):
        raise text.error(node, "FROM is missing; every ADQL query reads a table")
    if node.args.get("with_") and not top:
        raise text.error(node, "WITH can only stand at the beginning of the query")
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        raise text.error(distinct, "DISTINCT ON is not part of ADQL")


def _check_join(node: exp.Join, text: QueryText) -> None:
    only(node, {"this", "method", "side", "kind", "on", "using"}, text)
    if node.meta.get("comma"):
        return
    method, kind = node.args.get("method"), node.args.get("kind")
    if method not in (None, "NATURAL") or kind not in (None, "INNER", "OUTER", ""):
        raise text.error(node, f"{method or kind} JOIN is not part of ADQL")
    if kind == "OUTER" and not node.args.get("side"):
        raise text.error(node, "OUTER JOIN needs LEFT, RIGHT or FULL before it")
    joined = bool(node.args.get("on")) + bool(node.args.get("using")) + (method == "NATURAL")
    if joined != 1:
        raise text.error(node, "a JOIN needs either ON, USING or NATURAL")


def only(node: exp.Expr, allowed: frozenset[str] | set[str], text: QueryText) -> None:
    """Refuse a part of a node that ADQL does not have (an empty one does not count)."""
    for name, value in node.args.items():
        if name not in allowed and value not in (None, False, [], ""):
            raise text.error(node, f"{name.strip('_').upper()} is not part of ADQL here")


def whole_number(node: exp.Expr | None, what: str, text: QueryText) -> int:
    """The value of a whole number in a query. Raises AdqlError for anything else."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        if int(node.name) > _MANY:
            raise text.error(node, f"{what} cannot be larger than {_MANY}")
        return int(node.name)
    if node is None:
        raise text.error_at(0, f"{what} needs a whole number")
    raise text.error(node, f"{what} needs a whole number that is not negative")


def cast_type(node: exp.DataType, text: QueryText) -> tuple[str, int | None]:
    """The store's type for a CAST target, and the length of CHAR(n) or VARCHAR(n)."""
    kind = _TYPES.get(node.this)
    if kind is None:
        raise text.error(
            node.parent or node,
            "CAST can give CHAR, VARCHAR, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION or"
            " TIMESTAMP",
        )
    if not node.expressions:
        return kind, None
    parameter = node.expressions[0]
    if kind != "VARCHAR" or len(node.expressions) > 1:
        raise text.error(node.parent or node, f"{kind} takes no length")
    return kind, whole_number(parameter.this, "the length", text)
