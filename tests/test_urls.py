"""Web addresses: which ones are safe, and how those of Cloudinary's answers are written."""

from __future__ import annotations

import unicodedata
import urllib.request

import pytest

from drive2cloudinary.urls import encoded, is_url
from tests.harness import Workspace, packed_in

HOST = "https://res.cloudinary.com"


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("/a b.jpg", "/a%20b.jpg"),
        ("/a%20b c.jpg", "/a%20b%20c.jpg"),
        ("/a,b;c:d@e&f=g+h!$'()*~.jpg", "/a,b;c:d@e&f=g+h!$'()*~.jpg"),
        ("/100%.jpg", "/100%25.jpg"),
        ("/é.jpg", "/%C3%A9.jpg"),
        ("/e\u0301.jpg", "/e%CC%81.jpg"),
        ("/東京\u3000\xa0.jpg", "/%E6%9D%B1%E4%BA%AC%E3%80%80%C2%A0.jpg"),
        ('/<"a">[b]{c}|^`\\.jpg', "/%3C%22a%22%3E%5Bb%5D%7Bc%7D%7C%5E%60%5C.jpg"),
        ("/👩\u200d👧.jpg?x=y z#ü", "/%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7.jpg?x=y%20z#%C3%BC"),
    ],
)
def test_a_url_is_encoded_where_it_has_to_be_and_never_twice(raw: str, written: str) -> None:
    assert encoded(HOST + raw) == HOST + written
    assert encoded(HOST + written) == HOST + written
    assert is_url(HOST + written)


def test_what_is_no_url_does_not_become_one() -> None:
    for text in ("", "a b", "javascript:alert(1) ", "ftp://a/b c", "https://", "https:///a b", "//a/ b"):
        assert not is_url(encoded(text)), text


@pytest.mark.parametrize("kind", ["upload", "authenticated"])
def test_urls_with_raw_characters_are_stored_encoded_and_delivered(workspace: Workspace, kind: str) -> None:
    workspace.cloud.settings(raw_urls=True, rewrites="off")
    decomposed = unicodedata.normalize("NFD", "é")
    inner = workspace.cloud.drive("folder", name="Trip, 2024")
    workspace.add("a b, c.jpg", "東京\u3000タワー.jpg", f"{decomposed}t{decomposed}.jpg", "[x] {y}.jpg", parent=inner)
    workspace.cloud.drive("add", name="p n g.png", picture={"format": "png", "width": 20, "height": 10, "seed": 1})
    workspace.run(upload=f"{{type: {kind}}}").succeeded()
    rows = workspace.mapping()
    assert len(rows) == 5 and {row["status"] for row in rows} == {"uploaded"}
    markers = {each["drive"]["id"]: each for each in workspace.markers().values()}
    linked = packed_in(workspace.results / "report.html")
    for row in rows:
        for url in (row["cloudinary_url"], row["jpg_url"]):
            assert url.isascii() and " " not in url
            with urllib.request.urlopen(url) as answer:
                assert answer.status == 200
        assert markers[row["file_id"]]["cloudinary"]["secure_url"] == row["cloudinary_url"]
        assert row["cloudinary_url"].rpartition("/")[2] in linked
    workspace.run("verify", upload=f"{{type: {kind}}}").succeeded().line("5 URLs asked: 5 answer as they should")
