"""ADQL 2.1 as a sqlglot dialect, made strict.

The tokenizer knows only the words of ADQL, so that whatever other SQL has (windows, casts with
``::``, arrays, hints, ...) is a syntax error here. Every function call stays a plain name with
arguments: sqlglot's own functions would be transpiled with the meaning of other databases. What
the parser still lets through is refused by the lexical checks here, by :mod:`.shape`, and by the
writers, which know each node they write.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import ClassVar

from sqlglot import Dialect, exp, parser, tokens
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from despejado_services.adql.text import QueryText, nearest
from despejado_services.adql.words import RESERVED
from despejado_services.models import AdqlError

MAX_LENGTH = 4_000_000
"""Characters; long lists of identifiers are common, four million characters are a mistake."""

_WORDS = """
|| >= <= <> != ALL AND AS ASC BETWEEN CASE DESC DISTINCT ELSE END EXCEPT EXISTS FALSE FROM FULL
HAVING ILIKE IN INNER INTERSECT IS JOIN LEFT LIKE NATURAL NOT NULL OFFSET ON OR OUTER RIGHT SELECT
THEN TRUE UNION USING WHEN WHERE WITH CHAR VARCHAR SMALLINT INTEGER BIGINT REAL TIMESTAMP
"""
_PHRASES = ("GROUP BY", "ORDER BY", "DOUBLE PRECISION")


class ADQL(Dialect):
    """Tokenizer and parser of ADQL 2.1 (§2 and appendix A)."""

    class Tokenizer(tokens.Tokenizer):
        """Tokens of ADQL 2.1 §2.1; sqlglot's extras are taken away."""

        COMMENTS: ClassVar = ["--"]
        COMMANDS: ClassVar = set()
        SINGLE_TOKENS: ClassVar = {
            c: t for c, t in tokens.Tokenizer.SINGLE_TOKENS.items() if c in "(),.-=><+/*'\";"
        }
        KEYWORDS: ClassVar = {
            **{w: tokens.Tokenizer.KEYWORDS[w] for w in (*_WORDS.split(), *_PHRASES)},
            "TOP": TokenType.TOP,
        }

    class Parser(parser.Parser):
        """The grammar of ADQL; what other dialects of SQL add is taken away."""

        FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {"CASE": lambda self: self._parse_case()}
        FUNCTION_PARSERS: ClassVar = {"CAST": lambda self: self._parse_cast(True)}
        STATEMENT_PARSERS: ClassVar = {}
        SUPPORTS_IMPLICIT_UNNEST = False

        def _parse_join(
            self,
            skip_join_token: bool = False,
            parse_bracket: bool = False,
            alias_tokens: Collection[TokenType] | None = None,
        ) -> exp.Join | None:
            """As in sqlglot, and remembers that a comma made the join."""
            comma = self._curr.token_type == TokenType.COMMA
            join = super()._parse_join(skip_join_token, parse_bracket, alias_tokens)
            if join is not None:
                join.meta["comma"] = comma
            return join


_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_AFTER_NOTHING = (TokenType.SELECT, TokenType.DISTINCT, TokenType.L_PAREN, TokenType.COMMA)
_BEFORE_NOTHING = (
    TokenType.COMMA, TokenType.R_PAREN, TokenType.SEMICOLON, TokenType.FROM, TokenType.WHERE,
    TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY, TokenType.OFFSET, TokenType.UNION,
    TokenType.EXCEPT, TokenType.INTERSECT,
)  # fmt: skip
_CLAUSES = ("SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "UNION", "JOIN")
_RUN_TOGETHER = (TokenType.NUMBER, TokenType.STRING, TokenType.IDENTIFIER)


def parse(query: str) -> tuple[exp.Expr, QueryText]:
    """The syntax tree of one query; raises :class:`AdqlError` with the place of the trouble."""
    text = QueryText(query)
    if len(query) > MAX_LENGTH:
        raise AdqlError(f"the query is longer than {MAX_LENGTH} characters")
    if "\0" in query:
        raise text.error_at(query.index("\0"), "a NUL character cannot be part of a query")
    dialect = ADQL()
    try:
        found = dialect.tokenize(query)
    except TokenError as error:
        raise _unclosed(text) from error
    _check_tokens(found, text)
    try:
        trees = dialect.parser().parse(found, query)
    except ParseError as error:
        raise _syntax_error(error, found, text) from error
    except RecursionError as error:
        raise AdqlError("the query is nested too deeply") from error
    tree = trees[0] if trees else None
    if tree is None:
        raise AdqlError("the query is empty")
    return tree, text


def _unclosed(text: QueryText) -> AdqlError:
    """Find the quote that is never closed: sqlglot does not say where."""
    match = re.compile(r"(?:[^'\"-]|--[^\n]*|-|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")*").match(
        text.text
    )
    offset = match.end() if match else 0
    return text.error_at(offset, "a quote is opened here and never closed", text.text[offset:][:1])


def _check_tokens(found: list[Token], text: QueryText) -> None:
    if not found:
        raise AdqlError("the query is empty")
    first = found[0]
    if first.token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN):
        raise text.error_at(
            first.start, f"a query begins with SELECT or WITH, not {first.text}", first.text
        )
    for token, following in zip(found, [*found[1:], None], strict=True):
        if token.token_type == TokenType.SEMICOLON and following is not None:
            raise text.error_at(
                following.start,
                "there is more than one query; send one at a time",
                following.text,
            )
        _check_comma(token, following, text)
        called = following is not None and following.token_type == TokenType.L_PAREN
        if token.token_type == TokenType.VAR:
            _check_word(token, called, text)
        elif token.token_type == TokenType.IDENTIFIER and not token.text:
            raise text.error_at(token.start, "a delimited name is empty", '""')
        if following is not None and following.start == token.end + 1:
            pair = (token, following)
            if any(t.token_type in _RUN_TOGETHER for t in pair) and all(
                t.token_type in _RUN_TOGETHER or t.text[:1].isalnum() for t in pair
            ):
                raise text.error_at(
                    token.start,
                    f"{token.text} and {following.text} run together; put a space between them",
                    token.text + following.text,
                )


def _check_comma(token: Token, following: Token | None, text: QueryText) -> None:
    """The parser passes over commas with nothing before or after them."""
    stray = None
    if token.token_type == TokenType.COMMA:
        if following is None or following.token_type in _BEFORE_NOTHING:
            stray = token
    elif following is not None and following.token_type == TokenType.COMMA:
        stray = following if token.token_type in _AFTER_NOTHING else None
    if stray is not None:
        side = "after" if stray is token else "before"
        raise text.error_at(stray.start, f"there is nothing {side} this comma", ",")


def _check_word(token: Token, called: bool, text: QueryText) -> None:
    if not _REGULAR.match(token.text):
        raise text.error_at(
            token.start,
            f"{token.text} is no name: names have letters, digits and underscores and begin with"
            " a letter; others stand in double quotes",
            token.text,
        )
    if not called:
        check_reserved(token.text, token.start, text)


def check_reserved(word: str, offset: int, text: QueryText) -> None:
    """Raise AdqlError for a reserved word (ADQL 2.1 §2.1.2) that is used as a name."""
    if word.upper() in RESERVED:
        raise text.error_at(
            offset,
            f'{word} is a reserved word of ADQL; write "{word}" in double quotes if it is a name',
            word,
        )


def _check_parentheses(found: list[Token], text: QueryText) -> None:
    open_ones: list[Token] = []
    for token in found:
        if token.token_type == TokenType.L_PAREN:
            open_ones.append(token)
        elif token.token_type == TokenType.R_PAREN:
            if not open_ones:
                raise text.error_at(token.start, "no parenthesis is open here to be closed", ")")
            open_ones.pop()
    if open_ones:
        raise text.error_at(
            open_ones[-1].start, "this parenthesis is opened here and never closed", "("
        )


def _syntax_error(error: ParseError, found: list[Token], text: QueryText) -> AdqlError:
    details = error.errors[0] if error.errors else {}
    line, column = details.get("line"), details.get("col")
    # sqlglot's column is that of the last character of the token
    for before, token in zip([found[0], *found], found, strict=False):
        if token.line == line and token.col == column:
            description = str(details.get("description", ""))
            if description == "Expecting )" or token.token_type == TokenType.R_PAREN:
                _check_parentheses(found, text)
            clauses = nearest(before.text, _CLAUSES) if before.token_type == TokenType.VAR else []
            if clauses:
                message = f"the query cannot be understood at {before.text!r}"
                return text.error_at(before.start, message, before.text, clauses[:1])
            hint = ""
            if "LIMIT" in (token.text.upper(), before.text.upper()):
                hint = "; ADQL has SELECT TOP n"
            elif before.token_type == TokenType.TOP:
                hint = "; TOP is followed by a number of rows"
            elif description.startswith(("Expecting", "Expected")):
                hint = f": {description[0].lower()}{description[1:]}"
            return text.error_at(
                token.start, f"the query cannot be understood at {token.text!r}{hint}", token.text
            )
    return AdqlError("the query cannot be understood")
