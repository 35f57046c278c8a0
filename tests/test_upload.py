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


def urls(row: dict[str, Any]) -> tuple[str, str]:
    return row["cloudinary_url"], row["jpg_url"]


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


def test_all_of_it_goes_along_with_each_upload_and_each_replacement(account: Workspace) -> None:
    below = account.cloud.drive("folder", name="A, B")
    inner = account.cloud.drive("folder", name="{path}", parent=below)
    (one,) = account.add("one.jpg")
    account.add("two.jpg", parent=inner)
    account.cloud.drive("add", name="large.jpg", content_base64=jpeg("large", 9_000_000))
    account.run(upload=json.dumps(ALL)).succeeded()
    context = {"source": "a=b|c", "year": "2026"}
    metadata = {"sku": "x|y=z", "kinds": '["a","b"]'}
    for name in ("one.jpg", "two.jpg", "large.jpg"):
        asset = asset_of(account, name)
        assert asset["context"].pop("drive_id") and asset["context"] == context
        assert asset["metadata"] == metadata and asset["moderation"] == "manual"
    tags = ["from Drive", "in Photos", "at Photos", "twice"]
    assert asset_of(account, "one.jpg")["tags"] == asset_of(account, "large.jpg")["tags"] == tags
    assert asset_of(account, "two.jpg")["tags"] == ["from Drive", "in {path}", "at A B/{path}", "twice"]

    account.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    account.run(upload=json.dumps(ALL)).succeeded()
    replaced = asset_of(account, "one.jpg")
    assert replaced["stores"] == 2 and replaced["tags"] == tags
    assert replaced["context"] == {"drive_id": one, **context} and replaced["metadata"] == metadata


@pytest.mark.parametrize("how", [("--executor", "local"), ("-F",)])
def test_braces_in_tags_are_no_wildcards_of_snakemake(workspace: Workspace, how: tuple[str, ...]) -> None:
    workspace.add("one.jpg")
    upload = "{tags: ['{folder}', '{path}']}"
    workspace.dry_run(upload=upload).succeeded()
    workspace.run(*how, upload=upload).succeeded()
    assert asset_of(workspace, "one.jpg")["tags"] == ["Photos"]
    workspace.run("verify", upload=upload).succeeded()


def test_other_tags_move_nothing(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run().succeeded()
    workspace.cloud.reset()
    done = workspace.run(upload="{tags: [new]}")
    done.succeeded()
    done.line("1 image listed: 0 to move, 1 moved before")
    assert not workspace.calls("cloudinary.upload") and asset_of(workspace, "one.jpg")["tags"] == []


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
    done = account.run(upload=json.dumps(upload))
    done.failed()
    done.line("pending, because the run was stopped", *fragments)
    assert not account.failures() and not account.cloud.assets()


def test_a_preset_that_changes_the_bytes_is_found(workspace: Workspace) -> None:
    workspace.cloud.settings(presets={"small": {"transformation": "w_2,h_2,c_fill"}})
    workspace.add("one.jpg")
    done = workspace.run(upload="{upload_preset: small}")
    done.failed()
    assert [each["cause"] for each in workspace.failures().values()] == ["altered"]
    assert not workspace.cloud.assets()


@pytest.mark.parametrize("kind", ["private", "authenticated"])
@pytest.mark.parametrize("has_etag", [True, False])
def test_what_is_not_public_has_signed_urls_everywhere(workspace: Workspace, kind: str, has_etag: bool) -> None:
    inner = workspace.cloud.drive("folder", name="Ä: b")
    (one,) = workspace.add("one 1.jpg", parent=inner)
    workspace.cloud.drive("add", name="two.png", picture={"format": "png", "width": 20, "height": 10, "seed": 1})
    upload = json.dumps({"type": kind})
    workspace.run(upload=upload).succeeded()
    rows = workspace.mapping()
    assert len(rows) == 2 and {asset["type"] for asset in workspace.cloud.assets().values()} == {kind}
    for row in rows:
        for url in urls(row):
            assert f"/image/{kind}/s--" in url and status(url) == 200
    deliveries = packed_in(workspace.results / "report.html")
    for row in rows:
        assert all(f"{url.partition('/s--')[2].partition('--/')[0]}--/" in deliveries for url in urls(row)), (
            "the report links it"
        )
    (png,) = [row for row in rows if row["filename"] == "two.png"]
    assert "/f_jpg/" in png["jpg_url"]
    verified = workspace.run("verify", upload=upload)
    verified.succeeded()
    verified.line("2 URLs asked: 2 answer as they should")

    # The proof by download signs, too, and its own asset is found and replaced as the type that it is.
    workspace.cloud.settings(existing_without_etag=not has_etag)
    for path in (workspace.results / "markers").iterdir():
        path.unlink()
    workspace.run(upload=upload).succeeded()
    assert set(workspace.statuses().values()) == {"existing"}
    workspace.cloud.drive("replace", id=one, content_base64=jpeg("new"))
    done = workspace.run()
    done.succeeded()
    done.line(
        "warning: upload.type is upload, but changed images keep the type of their asset", "1 of them, such as Ä: b/one"
    )
    assert {asset["type"] for asset in workspace.cloud.assets().values()} == {kind}
    assert {row["filename"]: row["cloudinary_url"].split("/")[5] for row in workspace.mapping()} == {
        "one 1.jpg": kind,
        "two.png": kind,
    }


def test_one_that_is_stored_wrongly_is_taken_down_as_the_type_that_it_is(workspace: Workspace) -> None:
    workspace.cloud.faults([{"on": "cloudinary.upload", "times": None, "do": {"corrupt": True}}])
    workspace.add("one.jpg")
    workspace.run(upload="{type: authenticated}").failed()
    assert not workspace.cloud.assets()


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
