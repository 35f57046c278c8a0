"""Drive's search language, the `q` of files.list: a parser that returns a test for nodes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from .drive_fields import ACCOUNT, is_owned
from .drive_tree import Node, Tree

Test = Callable[[Tree, Node], bool]
TOKEN = re.compile(r"\s*(?:'((?:\\.|[^'\\])*)'|(!=|<=|>=|[()=<>])|([A-Za-z][A-Za-z0-9_.]*))", re.S)
ORDERS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
FLAGS: dict[str, Test] = {
    "trashed": lambda tree, node: tree.is_trashed(node),
    "starred": lambda tree, node: bool(node.overrides.get("starred")),
    "sharedWithMe": lambda tree, node: bool(node.overrides.get("sharedWithMeTime")),
}
TIMES = ("modifiedTime", "createdTime")


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
    parser = _Parser(_tokens(text))
    query = parser.expression()
    if parser.left():
        raise QueryError(f"what is left over: {parser.left()}")
    return query


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) for each token; kinds are string, sign, word."""
    tokens: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise QueryError(f"cannot read from {text[at:]!r}")
        string, sign, word = found.groups()
        if string is not None:
            tokens.append(("string", re.sub(r"\\(.)", r"\1", string, flags=re.S)))
        else:
            tokens.append(("sign", sign) if sign else ("word", word))
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent. `and` and `or` bind alike, from left to right, as Drive's guide says; `not` binds closer."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def left(self) -> list[tuple[str, str]]:
        return self._tokens[self._at :]

    def _take(self, kind: str | None = None, text: str | None = None) -> str:
        if self._at >= len(self._tokens):
            raise QueryError("ends too early")
        got_kind, got = self._tokens[self._at]
        if (kind and got_kind != kind) or (text and got != text):
            raise QueryError(f"unexpected {got!r}")
        self._at += 1
        return got

    def _next_is(self, *words: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] in [("word", word) for word in words]

    def expression(self) -> Query:
        query = self._factor()
        while self._next_is("and", "or"):
            query = (_both if self._take() == "and" else _either)(query, self._factor())
        return query

    def _factor(self) -> Query:
        if self._next_is("not"):
            self._take()
            inner = self._factor()
            return Query(lambda tree, node: not inner.test(tree, node), None, inner.named)
        if self._tokens[self._at : self._at + 1] == [("sign", "(")]:
            self._take()
            query = self.expression()
            self._take("sign", ")")
            return query
        return self._term()

    def _term(self) -> Query:
        if self._tokens[self._at : self._at + 1] and self._tokens[self._at][0] == "string":
            return self._membership()
        field = self._take("word")
        if field in FLAGS:
            return self._flag(field)
        operator = self._take()
        value = self._take("string")
        if field in TIMES and operator in ORDERS:
            return _time(field, operator, value)
        if field == "name" and operator in ("=", "!=", "contains"):
            return Query(_name_test(operator, value))
        if field == "mimeType" and operator in ("=", "!=", "contains"):
            return Query(_mime_test(operator, value))
        if field == "fullText" and operator == "contains":
            return Query(_name_test(operator, value))
        raise QueryError(f"no such term: {field} {operator}")

    def _membership(self) -> Query:
        value = self._take("string")
        self._take("word", "in")
        collection = self._take("word")
        if collection == "owners":
            return Query(lambda tree, node: is_owned(node) is (value in ("me", ACCOUNT["emailAddress"])))
        if collection in ("writers", "readers"):
            return Query(lambda tree, node: True)
        if collection != "parents":
            raise QueryError(f"no such collection: {collection}")
        return _inside(frozenset([value]))

    def _flag(self, field: str) -> Query:
        test = FLAGS[field]
        # `sharedWithMe` may stand alone; the others are compared.
        if field == "sharedWithMe" and not (self.left() and self.left()[0][0] == "sign" and self.left()[0][1] != ")"):
            return Query(test)
        operator = self._take("sign")
        value = self._take("word")
        if operator not in ("=", "!=") or value not in ("true", "false"):
            raise QueryError(f"not a truth value: {value}")
        wanted = (value == "true") == (operator == "=")
        return Query(lambda tree, node: test(tree, node) == wanted)


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


def _name_test(operator: str, value: str) -> Test:
    if operator == "contains":
        # Drive matches only prefixes of words.
        words = re.compile(r"(?<!\w)" + re.escape(value), re.I)
        return lambda tree, node: bool(words.search(node.name))
    return lambda tree, node: (node.name == value) == (operator == "=")


def _mime_test(operator: str, value: str) -> Test:
    if operator == "contains":
        return lambda tree, node: node.mime.startswith(value)
    return lambda tree, node: (node.mime == value) == (operator == "=")


def _time(field: str, operator: str, value: str) -> Query:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise QueryError(f"not a time: {value}") from error
    stamp = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    compare = ORDERS[operator]
    if field == "createdTime":
        return Query(lambda tree, node: compare(node.created, stamp))
    return Query(lambda tree, node: compare(node.modified, stamp))
