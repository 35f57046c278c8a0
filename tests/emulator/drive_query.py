"""Drive's search language, the `q` of files.list, as far as a reader of images needs it: a parser to a test for nodes.

Terms: `name` and `mimeType`, `in parents`, `in owners`, `trashed`, `sharedWithMe`. Any other is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pyparsing import (
    Forward,
    Keyword,
    ParseException,
    ParserElement,
    ParseResults,
    QuotedString,
    Suppress,
    ZeroOrMore,
    one_of,
)

from .drive_fields import ACCOUNT, is_owned
from .drive_tree import Node, Tree

Test = Callable[[Tree, Node], bool]


class QueryError(ValueError):
    """The query is not valid."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: the test, the folders it is limited to (None: not limited), and every folder it names.

    `pure`: its only condition is to be in one of these folders.
    """

    test: Test
    parents: frozenset[str] | None = None
    named: frozenset[str] = frozenset()
    pure: bool = False


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Parses `text`; raises QueryError where Drive answers 400. An empty query matches everything."""
    if not text.strip():
        return Query(lambda tree, node: True)
    try:
        query: Query = GRAMMAR.parse_string(text, parse_all=True)[0]
    except ParseException as error:
        raise QueryError(str(error)) from error
    return query


def _grammar() -> ParserElement:
    """`and` and `or` bind alike, from left to right, as Drive's guide says; `not` binds closer."""
    text = QuotedString("'", esc_char="\\", multiline=True, convert_whitespace_escapes=False)
    comparison = Keyword("name") + one_of("= !=") + text | Keyword("mimeType") + one_of("= != contains") + text
    trashed = Keyword("trashed").suppress() + one_of("= !=") + (Keyword("true") | Keyword("false"))
    expression, factor = Forward(), Forward()
    factor <<= (
        (Keyword("not").suppress() + factor).set_parse_action(lambda found: _negated(found[0]))
        | Suppress("(") + expression + Suppress(")")
        | (text + Suppress(Keyword("in")) + Keyword("parents")).set_parse_action(
            lambda found: _inside(frozenset([found[0]]))
        )
        | (text + Suppress(Keyword("in")) + Keyword("owners")).set_parse_action(lambda found: _of_owner(found[0]))
        | comparison.set_parse_action(_compared)
        | trashed.set_parse_action(lambda found: _trashed((found[0] == "=") == (found[1] == "true")))
        | Keyword("sharedWithMe").set_parse_action(
            lambda: Query(lambda tree, node: "sharedWithMeTime" in node.overrides)
        )
    )
    expression <<= (factor + ZeroOrMore((Keyword("and") | Keyword("or")) + factor)).set_parse_action(_joined)
    return expression


def _joined(found: ParseResults) -> Query:
    query: Query = found[0]
    for operator, right in zip(found[1::2], found[2::2], strict=True):
        query = (_both if operator == "and" else _either)(query, right)
    return query


def _compared(found: ParseResults) -> Query:
    field, operator, value = found
    attribute = {"name": "name", "mimeType": "mime"}[field]
    if operator == "contains":
        # Drive matches only beginnings.
        return Query(lambda tree, node: node.mime.startswith(value))
    return Query(lambda tree, node: (getattr(node, attribute) == value) == (operator == "="))


def _trashed(wanted: bool) -> Query:
    return Query(lambda tree, node: tree.is_trashed(node) == wanted)


def _of_owner(who: str) -> Query:
    return Query(lambda tree, node: is_owned(node) is (who in ("me", ACCOUNT["emailAddress"])))


def _negated(inner: Query) -> Query:
    return Query(lambda tree, node: not inner.test(tree, node), None, inner.named)


def _inside(folders: frozenset[str]) -> Query:
    """Being in any of these folders."""

    def test(tree: Tree, node: Node) -> bool:
        return not folders.isdisjoint(node.parents) or ("root" in folders and tree.my_drive in node.parents)

    return Query(test, folders, folders, pure=True)


def _both(left: Query, right: Query) -> Query:
    parents = left.parents if right.parents is None else right.parents
    return Query(lambda tree, node: left.test(tree, node) and right.test(tree, node), parents, left.named | right.named)


def _either(left: Query, right: Query) -> Query:
    if left.pure and right.pure:
        return _inside(left.named | right.named)
    parents = None if left.parents is None or right.parents is None else left.parents | right.parents
    return Query(lambda tree, node: left.test(tree, node) or right.test(tree, node), parents, left.named | right.named)


GRAMMAR = _grammar()
