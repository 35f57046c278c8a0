"""What goes along with each upload: tags, context, metadata, a preset, moderation, and the type of the assets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from drive2cloudinary.cloudinary import texts
from tests.harness import Workspace, jpeg, packed_in

ALL = {
    "tags": ["from Drive", "in {folder}", "at {path}", "twice", "twice"],
    "context": {"source": "a=b|c", "year": 2026},
    "metadata": {"sku": "x|y=z", "kinds": ["a", "b"]},
    "upload_preset": "mine",
    "moderation": "manual",
}


def asset_of(workspace: Workspace, filename: str) -> dict[str, Any]:
    """The asset of a file of this name in Drive."""
    (found,) = [each for each in workspace.cloud.assets().values() if each["sent_filename"] == filename]
    return dict(found)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def account(workspace: Workspace) -> Workspace:
    """A workspace whose account has a preset and two fields of structured metadata."""
    workspace.cloud.settings(presets={"mine": {"phash": "true"}}, metadata_fields=["sku", "kinds"])
    return workspace


def test_the_setting_upload_goes_along_with_each_upload_and_replacement(account: Workspace) -> None:
    """But what is copied already stays as it is, whatever is to go along."""
    below = account.cloud.drive("folder", name="A, B")
    (one,) = account.add("one.jpg")
    account.add("two.jpg", parent=account.cloud.drive("folder", name="{path}", parent=below))
    account.cloud.drive("add", name="large.jpg", content_base64=jpeg("large", 9_000_000))
    tags = ["from Drive", "in Photos", "at Photos", "twice"]
    expected = {"one.jpg": tags, "large.jpg": tags, "two.jpg": ["from Drive", "in {path}", "at A B/{path}", "twice"]}
    for stores in (1, 2):
        account.run(upload=json.dumps(ALL)).succeeded()
        assert asset_of(account, "one.jpg")["stores"] == stores
        for name, wanted in expected.items():
            asset = asset_of(account, name)
            assert asset["context"].pop("drive_id") and asset["context"] == {"source": "a=b|c", "year": "2026"}
            assert asset["metadata"] == {"sku": "x|y=z", "kinds": '["a","b"]'} and asset["moderation"] == "manual"
            assert asset["tags"] == wanted
        account.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    account.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    uploads = account.calls("cloudinary.upload")
    account.run(upload="{tags: [new]}").succeeded()
    assert account.calls("cloudinary.upload") == uploads and asset_of(account, "one.jpg")["tags"] == tags


def test_braces_in_tags_are_no_wildcards_of_snakemake(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    upload = "{tags: ['{folder}', '{path}']}"
    workspace.run("--executor", "local", upload=upload).succeeded()
    assert asset_of(workspace, "one.jpg")["tags"] == ["Photos"]
    workspace.run("verify", upload=upload).succeeded()


@pytest.mark.parametrize(
    ("upload", "fragments"),
    [
        ({"upload_preset": "gone"}, ("no upload preset", "upload.upload_preset", "Upload preset not found")),
        ({"metadata": {"sku": "1", "gone": "2"}}, ("no structured metadata field", "upload.metadata")),
    ],
)
def test_what_the_account_does_not_have_stops_the_run_with_one_line(
    account: Workspace, upload: dict[str, Any], fragments: tuple[str, ...]
) -> None:
    account.add(*(f"{number}.jpg" for number in range(20)))
    account.run(upload=json.dumps(upload)).failed().line("pending, because the run was stopped", *fragments)
    assert not account.failures() and not account.cloud.assets()


@pytest.mark.parametrize(("kind", "has_etag"), [("private", True), ("authenticated", False)])
def test_what_is_not_public_has_signed_urls_everywhere(workspace: Workspace, kind: str, has_etag: bool) -> None:
    (one,) = workspace.add("one 1.jpg", parent=workspace.cloud.drive("folder", name="Ä: b"))
    workspace.cloud.drive("add", name="two.png", picture={"format": "png", "width": 20, "height": 10, "seed": 1})
    upload = json.dumps({"type": kind})
    workspace.run(upload=upload).succeeded()
    rows, linked = workspace.mapping(), packed_in(workspace.results / "report.html")
    assert len(rows) == 2 and {asset["type"] for asset in workspace.cloud.assets().values()} == {kind}
    for url in (url for row in rows for url in (row["cloudinary_url"], row["jpg_url"])):
        assert f"/image/{kind}/s--" in url and status(url) == 200
        assert f"{url.partition('/s--')[2].partition('--/')[0]}--/" in linked, "the report links it"
    assert [("/f_jpg/" in row["jpg_url"]) for row in rows] == [row["filename"] == "two.png" for row in rows]
    workspace.run("verify", upload=upload).succeeded().line("2 URLs asked: 2 answer as they should")

    # The proof by download signs, too, and its own asset is found and replaced as the type that it is.
    workspace.cloud.settings(existing_without_etag=not has_etag)
    for path in (workspace.results / "markers").iterdir():
        path.unlink()
    workspace.run(upload=upload).succeeded()
    assert set(workspace.statuses().values()) == {"existing"}
    workspace.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    workspace.run().succeeded().line(
        "warning: upload.type is upload, but changed images keep the type of their asset", "1 of them, such as Ä: b/one"
    )
    assert {asset["type"] for asset in workspace.cloud.assets().values()} == {kind}
    assert {row["cloudinary_url"].split("/")[5] for row in workspace.mapping()} == {kind}
    # What is stored wrongly is taken down as the type that it is.
    workspace.cloud.faults([{"on": "cloudinary.upload", "times": None, "do": {"corrupt": True}}])
    workspace.add("wrong.jpg")
    workspace.run(upload=upload).failed()
    assert len(workspace.cloud.assets()) == 2


NASTY = ["a\\", "a\\\\|b=c\\", "x\\|drive_id=other", "\x00\x1b[31m", "a\tb\r\nc", "\ud800", "y" * 5000, "|=|=", " \n "]


@pytest.mark.parametrize("make", [texts.tag, texts.value])
def test_texts_are_valid_whatever_they_were(make: Callable[[str], str]) -> None:
    for nasty in NASTY:
        text = make(nasty)
        assert make(text) == text and len(text) <= 1024
        text.encode()
        assert not any(character < " " and character != "\n" for character in text)
        if make is texts.value:
            assert not text.endswith("\\") and "\\=" not in text and "\\|" not in text
        else:
            assert len(text) <= 255 and "," not in text and "\n" not in text
