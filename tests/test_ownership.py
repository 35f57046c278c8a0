"""Whether an existing asset is our own is checked before anything is kept, replaced or deleted."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.causes import Cause
from drive2cloudinary.results import marker
from drive2cloudinary.results.format import FORMAT
from drive2cloudinary.results.listing import Image
from tests.harness import Workspace, jpeg
from tests.test_changes import FOREIGN, Recorder

Json = dict[str, Any]
OTHER_MD5 = hashlib.md5(FOREIGN).hexdigest()
NO_URLS = [None, 5, "", "javascript:alert(1)", "ftp://example.com/a.jpg", "//example.com/a.jpg", "https:///a.jpg"]
NO_URLS += [f"https://{each}.jpg" for each in (":443/a", "a.com/a\nb", "a.com/\u202ea", "a\u00ad.com/a", "a.com/\x7f")]
"""What is no http(s) URL with a host, or cannot be shown."""


def answers(name: str, times: int | None = 1, **fields: object) -> Json:
    """The rule that replaces fields in the answers to the uploads of NAME.jpg."""
    return {"on": "cloudinary.upload", "match": f"Photos/{name}", "do": {"answer": fields}, "times": times}


def of(file_id: str) -> Json:
    """The context of an asset that names this Drive file."""
    return {"custom": {"drive_id": file_id}}


def md5(name: str) -> str:
    return hashlib.md5(base64.b64decode(jpeg(name))).hexdigest()


def stores(workspace: Workspace) -> dict[str, int]:
    """How often bytes were stored for each asset."""
    return {name.removeprefix("Photos/"): asset["stores"] for name, asset in workspace.cloud.assets().items()}


def causes(workspace: Workspace) -> dict[str, str]:
    """File name → cause, of the images that failed."""
    names = {row["file_id"]: row["filename"] for row in workspace.mapping()}
    return {names[file_id]: failure["cause"] for file_id, failure in workspace.failures().items()}


def statuses(workspace: Workspace) -> dict[str, str]:
    return {name.removesuffix(".jpg"): status for name, status in workspace.statuses().items()}


def change(workspace: Workspace, ids: dict[str, str], content: str = "changed") -> None:
    """New bytes for these images in Drive."""
    workspace.cloud.drive_all(
        [{"op": "replace", "id": each, "content_base64": jpeg(f"{name} {content}")} for name, each in ids.items()]
    )


def add(workspace: Workspace, *names: str) -> dict[str, str]:
    """Name → file ID of new pictures."""
    return dict(zip(names, workspace.add(*(f"{name}.jpg" for name in names)), strict=True))


def test_an_answer_for_another_name_is_a_failure_that_overwriting_would_not_mend(workspace: Workspace) -> None:
    add(workspace, "one", "two", "three")
    workspace.cloud.faults(
        [answers("one", None, public_id="Elsewhere/one"), answers("two", None, public_id="Photos/(two)")]
    )
    for overwrite in (False, True):
        done = workspace.run(overwrite=overwrite).failed()
        done.line("failed: one.jpg", "Elsewhere/one", "Photos/one")
        assert statuses(workspace)["one"] == "failed" and causes(workspace) == {"one.jpg": "renamed"}
        assert "overwrite" not in done.said
    rows = {row["filename"]: row for row in workspace.mapping()}
    assert rows["two.jpg"]["public_id"] == "Photos/(two)", "the answer's, which is a form of the one asked for"
    assert stores(workspace) == {"one": 1, "two": 1, "three": 1}
    assert workspace.calls("cloudinary.destroy") == workspace.calls("cloudinary.destroy", "Elsewhere/one") == 1, (
        "what this very upload has stored does not stay; what exists does"
    )


def test_no_advice_but_that_for_a_foreign_asset_is_to_overwrite() -> None:
    assert [cause for cause in Cause if "overwrite=true" in cause.advice] == [Cause.NAME_TAKEN]


def test_an_asset_whose_context_names_another_file_is_not_ours_whatever_its_version_and_etag(
    workspace: Workspace,
) -> None:
    ids = add(workspace, "version", "etag", "both", "ours")
    workspace.run().succeeded()
    change(workspace, ids)
    stranger = of("stranger")
    rules = [
        answers("version", None, context=stranger, etag=OTHER_MD5),
        answers("etag", None, context=stranger, version=1),
        answers("both", None, context=stranger),
        answers("ours", 1, context=of(ids["ours"]), version=1, etag=OTHER_MD5),
    ]
    workspace.cloud.faults(rules)
    workspace.run().failed()
    assert statuses(workspace) == {"version": "failed", "etag": "failed", "both": "failed", "ours": "uploaded"}
    assert set(causes(workspace).values()) == {"name_taken"}
    assert stores(workspace) == {"version": 1, "etag": 1, "both": 1, "ours": 2}

    workspace.cloud.faults([{**rule, "times": 1} for rule in rules])
    workspace.run(overwrite=True).succeeded()
    assert stores(workspace) == dict.fromkeys(ids, 2)


def test_an_asset_without_context_is_ours_by_its_version_or_its_etag_alone(workspace: Workspace) -> None:
    ids = add(workspace, "version", "etag", "neither")
    workspace.run().succeeded()
    change(workspace, ids)
    workspace.cloud.faults(
        [
            answers("version", 1, context=None, etag=OTHER_MD5),
            answers("etag", 1, context=None, version=1),
            answers("neither", 1, context=None, version=1, etag=OTHER_MD5),
        ]
    )
    workspace.run().failed()
    assert statuses(workspace) == {"version": "uploaded", "etag": "uploaded", "neither": "failed"}
    assert causes(workspace) == {"neither.jpg": "name_taken"}
    assert stores(workspace) == {"version": 2, "etag": 2, "neither": 1}

    workspace.cloud.faults([answers("neither", 1, context={"custom": {"by": "others"}}, version=1, etag=OTHER_MD5)])
    with Recorder(workspace.cloud.cloudinary_url) as recorder:
        workspace.environment["CLOUDINARY_URL"] = recorder.cloudinary_url
        workspace.run(overwrite=True).succeeded()
    assert [fields["overwrite"] for fields in recorder.sent] in (["0", "1"], ["false", "true"]), (
        "never at the first try"
    )
    assert stores(workspace) == dict.fromkeys(ids, 2)


def test_a_foreign_asset_with_the_same_bytes_does_not_become_ours_by_a_lost_answer(workspace: Workspace) -> None:
    """Nor by anything else: with another file's ID in its context, or if the image changes later."""
    ids = add(workspace, "same", "labelled")
    workspace.cloud.plant("Photos/same", base64.b64decode(jpeg("same.jpg")))
    workspace.cloud.plant("Photos/labelled", base64.b64decode(jpeg("labelled.jpg")), context={"drive_id": "stranger"})
    workspace.cloud.faults([{"on": "cloudinary.upload", "match": "same", "do": {"refuse": True}, "times": 1}])
    workspace.run().succeeded()
    assert workspace.calls("cloudinary.upload") == 3
    assert statuses(workspace) == dict.fromkeys(ids, "existing")
    change(workspace, ids)
    workspace.run().failed()
    assert causes(workspace) == {"same.jpg": "name_taken", "labelled.jpg": "name_taken"}
    assert stores(workspace) == dict.fromkeys(ids, 0)


@pytest.mark.parametrize("clock", [0, 1500, -1500])
def test_an_upload_whose_answer_was_lost_is_our_own_though_no_context_says_so(workspace: Workspace, clock: int) -> None:
    """Answers about an existing asset were recorded without context and etag. The service's own clock decides."""
    workspace.cloud.settings(existing_as_in_2019=True, clock=clock)
    ids = add(workspace, "lost", "unread", "foreign", "foreign unread", "labelled")
    for name in ("foreign", "foreign unread"):
        workspace.cloud.plant(f"Photos/{name}", base64.b64decode(jpeg(f"{name}.jpg")))
    lost: Json = {"on": "cloudinary.upload", "do": {"lose": True}, "times": 1}
    unread: Json = {"on": "cloudinary.upload", "do": {"answer": {"version": "x"}}, "times": 1}
    labelled = {"custom": {"by": "others"}}
    rules = [
        {**lost, "match": "Photos/lost"},
        {**unread, "match": "Photos/unread"},
        {**unread, "match": "Photos/foreign unread"},
        {**lost, "match": "Photos/foreign"},
        {**lost, "match": "Photos/labelled"},
        answers("labelled", 1, context=labelled),
    ]
    workspace.cloud.faults(rules)
    workspace.run(cores=1).succeeded()
    expected = {"lost": "uploaded", "unread": "uploaded"}
    foreign = ("foreign", "foreign unread", "labelled")
    assert statuses(workspace) == expected | dict.fromkeys(foreign, "existing")
    change(workspace, ids)
    workspace.run(cores=1).failed()
    assert causes(workspace) == dict.fromkeys((f"{name}.jpg" for name in foreign), "name_taken")
    assert stores(workspace) == {"lost": 2, "unread": 2, "foreign": 0, "foreign_unread": 0, "labelled": 1}


def test_no_image_takes_the_asset_of_another_one_of_the_migration(workspace: Workspace) -> None:
    """Of one that is listed, or has a marker, here or in another Drive folder: by the same bytes or by overwriting."""
    beside = workspace.cloud.drive("folder", name="Beside")
    (listed_beside, gone_beside) = workspace.add("one.jpg", "two.jpg", parent=beside)
    gone = add(workspace, "gone")["gone"]
    workspace.run(folder_id=beside).succeeded()
    workspace.run(recursive=False).succeeded()
    for each in (gone, gone_beside):
        workspace.cloud.drive("delete", id=each)
    workspace.run(folder_id=beside).succeeded()
    others = {"listed": "", "marked": gone, "beside": listed_beside, "marked beside": gone_beside}
    ids = add(workspace, *others, *(f"same {name}" for name in others))
    others["listed"] = ids["same marked"]
    for name, file_id in others.items():
        workspace.cloud.plant(f"Photos/{name}", FOREIGN, context={"drive_id": file_id})
        same = base64.b64decode(jpeg(f"same {name}.jpg"))
        workspace.cloud.plant(f"Photos/same {name}", same, context={"drive_id": file_id})
    for overwrite in (True, False):
        done = workspace.run(overwrite=overwrite, recursive=False).failed()
        assert causes(workspace) == dict.fromkeys((f"{name}.jpg" for name in ids), "shared")
        assert "overwrite=true" not in done.said
    planted = [each for each in workspace.cloud.assets().values() if each["original_filename"] == "planted"]
    assert {asset["stores"] for asset in planted} == {0}


def test_an_answer_about_another_image_is_asked_for_again(workspace: Workspace) -> None:
    add(workspace, "one")
    workspace.cloud.faults([answers("one", 1, context=of("stranger"))])
    workspace.run().succeeded()
    assert stores(workspace) == {"one": 1} and workspace.calls("cloudinary.upload") == 2
    workspace.audit()


def test_an_etag_is_the_same_in_capitals_in_quotes_and_weak(workspace: Workspace) -> None:
    forms = {"capitals": str.upper, "quoted": '"{}"'.format, "weak": 'W/"{}"'.format, "all": ' w/"{}" '.format}
    add(workspace, *forms)
    workspace.cloud.faults([answers(name, None, etag=form(md5(f"{name}.jpg"))) for name, form in forms.items()])
    for status in ("uploaded", "existing"):
        workspace.run().succeeded()
        assert statuses(workspace) == dict.fromkeys(forms, status)
        assert all(each["cloudinary"]["etag"] == each["drive"]["md5"] for each in workspace.markers().values())
        for path in workspace.results.rglob("*.json"):
            path.unlink()
    assert stores(workspace) == dict.fromkeys(forms, 1)
    assert not workspace.calls("cloudinary.destroy") and not workspace.calls("delivery")


def test_delivered_bytes_decide_before_anything_is_replaced_or_taken_down(workspace: Workspace) -> None:
    add(workspace, "wrong", "no-md5", "second", "unseen", "gone", "existing")
    workspace.cloud.plant("Photos/existing", base64.b64decode(jpeg("existing.jpg")))
    corrupt = {"on": "cloudinary.upload", "match": "Photos/second", "do": {"corrupt": True}}
    workspace.cloud.faults(
        [
            answers("wrong", None, etag=OTHER_MD5),
            answers("no-md5", None, etag="abc-2"),
            corrupt,
            answers("second", None, etag=OTHER_MD5),
            answers("unseen", None, etag=OTHER_MD5),
            {"on": "delivery", "match": "unseen", "do": {"error": {"status": 404}}, "times": None},
            {"on": "cloudinary.upload", "match": "Photos/gone", "do": {"corrupt": True}, "times": None},
            answers("existing", None, etag="abc-2"),
        ]
    )
    workspace.run().failed()
    assert statuses(workspace) == {
        "wrong": "uploaded",
        "no-md5": "uploaded",
        "second": "uploaded",
        "unseen": "failed",
        "gone": "failed",
        "existing": "existing",
    }
    assert causes(workspace)["gone.jpg"] == "altered"
    assert stores(workspace) == {"wrong": 1, "no-md5": 1, "second": 2, "unseen": 1, "existing": 0}
    assert workspace.calls("cloudinary.destroy") == 1
    assert all(each["cloudinary"]["etag"] == each["drive"]["md5"] for each in workspace.markers().values())


def test_malformed_answers_never_reach_the_mapping(workspace: Workspace) -> None:
    odd: list[Json] = [{"secure_url": value} for value in NO_URLS]
    odd += [{name: value} for name in ("version", "bytes", "width", "height") for value in (True, -1, 2**63, 1.5, "7")]
    odd += [{"asset_id": value} for value in ("a\nb", "\u202e", "a" * 10_000, 5)]
    odd += [{"public_id": value} for value in ("", None)] + [{"etag": value} for value in ("", '""', "a\rb")]
    odd += [{"format": "\x1b[2J"}]
    names = {f"n{number:02}": fields for number, fields in enumerate(odd)}
    add(workspace, *names, "good", "private", "once")
    rules = [answers(name, None, **fields) for name, fields in names.items()]
    rules += [answers("private", None, secure_url="http://images.example.com:8080/p/x.jpg", version=0, width=2**63 - 1)]
    workspace.cloud.faults([*rules, answers("once", 1, version=True)])
    workspace.run(retries=0, cores=8).failed()
    rows = {row["filename"].removesuffix(".jpg"): row for row in workspace.mapping()}
    for name, fields in names.items():
        assert (rows[name]["status"], rows[name]["cloudinary_url"]) == ("failed", "UPLOAD_FAILED"), fields
        assert rows[name]["error"].isprintable() and "not what its API promises" in rows[name]["error"], fields
    failures = [each for each in workspace.failures().values() if "not what" in each["message"]]
    assert {each["cause"] for each in failures} == {"service"}
    assert rows["private"]["cloudinary_url"] == "http://images.example.com:8080/p/x.jpg"
    assert rows["good"]["status"] == "uploaded" and rows["once"]["status"] == "failed"

    workspace.cloud.reset()
    workspace.run().succeeded()
    assert {asset["stores"] for asset in workspace.cloud.assets().values()} == {1}, "they were there, and are proved"


def test_a_marker_with_no_such_url_is_no_whole_marker(tmp_path: Path) -> None:
    good = "https://example.com/image/upload/v1/a.jpg"
    image = Image("a", "a.jpg", (), "image/jpeg", 7, "0" * 32, "2026-01-02T03:04:05Z", "Photos/a")
    path = tmp_path / marker.name_of(image.id, image.fingerprint)
    value: Json = {"format": FORMAT, "drive": image.to_dict(), "status": "uploaded"}
    value["uploaded_at"] = "2026-01-02T03:04:05+00:00"

    def is_whole(secure_url: object, jpg_url: object) -> bool:
        urls = {"jpg_url": jpg_url, "cloudinary": {"public_id": "a", "secure_url": secure_url}}
        path.write_text(json.dumps(value | urls))
        return bool(marker.read(path))

    assert is_whole(good, good)
    for url in [*NO_URLS, "https://example.com/a b.jpg"]:
        assert not is_whole(url, good) and not is_whole(good, url), url
