"""`snakemake verify`: what the CDN delivers is what was stored, or it is said."""

from __future__ import annotations

import csv
import json
import os
import signal
from typing import Any

import cloudinary.uploader

from tests.emulator.pictures import noise_jpeg
from tests.emulator.real_clients import cloudinary_options
from tests.harness import PATIENCE, Workspace, wait_for

COLUMNS = "file_id,filename,folder_path,public_id,url,result,status,expected_bytes,bytes,error"
HOSTILE = '=HYPERLINK("http://127.0.0.1").jpg'


def verified(workspace: Workspace) -> dict[str, dict[str, str]]:
    """File name → row of verify.csv, which is in the order of the mapping."""
    with (workspace.results / "verify.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    asked = [row["file_id"] for row in workspace.mapping() if row["status"] in ("uploaded", "existing")]
    assert [row["file_id"] for row in rows] == asked
    return {row["filename"]: row for row in rows}


def test_what_the_mapping_at_hand_says_is_asked_of_the_cdn_and_of_nobody_else(workspace: Workspace) -> None:
    """Also where the stored bytes are not Drive's; without any credentials."""
    _, there, *_ = workspace.add("東京 1.jpg", "there.jpg", HOSTILE, "broken.jpg", "left.jpg")
    workspace.cloud.drive("add", name="large.jpg", picture={"format": "jpg", "width": 900, "height": 700, "seed": 1})
    workspace.cloud.plant("Photos/there", noise_jpeg(1000, 5), context={"drive_id": there})
    invalid = {"error": {"status": 400, "message": "Invalid image"}}
    workspace.cloud.faults([{"on": "cloudinary.upload", "match": "broken", "do": invalid}])
    workspace.run(exclude="left.jpg", max_bytes=30_000, fit="true").failed()
    before = {path: path.stat().st_mtime_ns for path in workspace.results.glob("mapping.*")}
    asset = next(each for name, each in workspace.cloud.assets().items() if name.endswith("large"))
    assert asset["bytes"] < 30_000

    workspace.environment["CLOUDINARY_URL"] = ""
    workspace.cloud.reset()
    done = workspace.run("verify", token="nowhere.json").succeeded()
    csv_path = f"results/{workspace.cloud.folder_id}/verify.csv"
    assert done.lines == [f"4 URLs asked: 4 answer as they should, 0 do not; not in Cloudinary: 1 → {csv_path}"]
    assert workspace.cloud.stats()["counts"] == {"delivery.head": 4}, "of nobody else"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (workspace.results / "verify.csv").read_bytes().startswith(f"{COLUMNS}\r\n".encode())
    rows = verified(workspace)
    assert {row["result"] for row in rows.values()} == {"ok"} and f"'{HOSTILE}" in rows
    assert rows["large.jpg"]["bytes"] == rows["large.jpg"]["expected_bytes"] == str(asset["bytes"])


def test_each_url_that_does_not_deliver_what_was_stored_is_named_and_the_exit_code_is_1(workspace: Workspace) -> None:
    names = ["fine", "gone", "other", "denied", "dead", "unmarked"]
    ids = dict(zip(names, workspace.add(*(f"{name}.jpg" for name in names)), strict=True))
    workspace.run().succeeded()
    mapping = (workspace.results / "mapping.csv").read_bytes()
    options = cloudinary_options(workspace.cloud.cloudinary_url)
    cloudinary.uploader.destroy("Photos/gone", **options)
    workspace.cloud.plant("Photos/other", noise_jpeg(1234, 5))
    next(workspace.results.glob(f"markers/{ids['unmarked']}.*")).unlink()
    denied = {"error": {"status": 401, "message": "deny or ACL failure"}}
    dead = {"on": "delivery", "match": "dead", "do": {"html": 503}, "times": None}
    workspace.cloud.faults([{"on": "delivery", "match": "denied", "do": denied}, dead])
    done = workspace.run("verify", retries=1).failed()
    rows = verified(workspace)
    assert {name: tuple(rows[f"{name}.jpg"][key] for key in ("result", "status", "bytes")) for name in names} == {
        "fine": ("ok", "200", "1000"),
        "gone": ("missing", "404", ""),
        "other": ("wrong size", "206", "1234"),
        "denied": ("refused", "401", ""),
        "dead": ("no answer", "503", ""),
        "unmarked": ("ok", "200", "1000"),
    }
    errors = {"gone": "Resource not found - Photos/gone", "denied": "deny or ACL failure", "unmarked": "not compared"}
    assert all(said in rows[f"{name}.jpg"]["error"] for name, said in errors.items())
    for name in ("gone", "other", "denied", "dead"):
        done.line(f": {name}.jpg: http", f": {rows[f'{name}.jpg']['error']}")
    *_, advice, summary = done.lines
    assert f"delete results/{workspace.cloud.folder_id}/markers/FILE_ID.*.json" in advice and len(done.lines) == 6
    assert summary.startswith("6 URLs asked: 2 answer as they should, 4 do not (") and "1 wrong size" in summary
    assert (workspace.results / "mapping.csv").read_bytes() == mapping

    # As the advice says.
    cloudinary.uploader.destroy("Photos/other", **options)
    for name in ("gone", "other"):
        next(workspace.results.glob(f"markers/{ids[name]}.*")).unlink()
    workspace.cloud.faults([])
    workspace.run().succeeded()
    workspace.run("verify").succeeded()
    assert {row["result"] for row in verified(workspace).values()} == {"ok"}, "the old verify.csv is replaced"


def test_verify_retries_passing_errors_and_asks_otherwise_where_head_is_refused(workspace: Workspace) -> None:
    head, any_call = "delivery.head", "delivery"
    faults: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "no_head": [(head, {"error": {"status": 405}})],
        "forbidden_head": [(head, {"error": {"status": 403}})],
        "empty_head": [(head, {"empty": True})],
        "unsaid": [(head, {"chunked": True})],
        "chunked": [(head, {"chunked": True}), (any_call, {"chunked": True, "body": "x" * 1000})],
        "busy": [(any_call, {"error": {"status": 429, "headers": {"Retry-After": "1"}}})],
        "enhance": [(any_call, {"error": {"status": 420}})],
        "lost": [(any_call, {"lose": True})],
        "broken": [(any_call, {"html": 502})],
        "silent": [(any_call, {"hang": True})],
    }
    workspace.add(*(f"{name}.jpg" for name in (*faults, "moved", "circle")))
    workspace.run().succeeded()
    (url,) = [row["cloudinary_url"] for row in workspace.mapping() if row["filename"] == "moved.jpg"]
    rules: list[dict[str, Any]] = [
        {"on": on, "match": f"/{name}", "do": do} for name, each in faults.items() for on, do in each
    ]
    rules.append({"on": any_call, "match": "/moved", "do": {"redirect": url.replace("/v1", "/v2")}})
    rules.append({"on": any_call, "match": "/circle", "do": {"redirect": True}, "times": None})
    workspace.cloud.faults(rules)
    # Not less: who was refused twice waits for some seconds, and all tries together may take five times as long.
    workspace.run("verify", timeout=3).failed()
    rows = verified(workspace)
    bad = {name: row["error"] for name, row in rows.items() if row["result"] != "ok"}
    assert bad == {"circle.jpg": "redirected more than 5 times"}
    assert {row["bytes"] for name, row in rows.items() if name != "circle.jpg"} == {"1000"}
    struck = [call for call in workspace.cloud.log() if call["fault"]]
    assert len(struck) == sum(map(len, faults.values())) + 1 + 6


def test_verify_limits_its_rate_and_its_lines_and_stops_without_a_connection(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(30)))
    workspace.run().succeeded()
    not_found = {"error": {"status": 404, "message": "Resource not found"}}
    workspace.cloud.reset()
    workspace.cloud.faults([{"on": "delivery", "do": not_found, "times": None}])
    done = workspace.run("verify").failed()
    assert sum(line.startswith("missing: ") for line in done.lines) == 20
    assert "and 10 more" in done.lines
    begun = [float(call["at"]) for call in workspace.cloud.log()]
    assert max(begun) - min(begun) > 29 / 100 - 0.05, "so many calls a second, of all threads together"
    assert workspace.cloud.stats()["connections"]["cloudinary"] <= 4
    quiet = workspace.run("verify", "--quiet", "all")
    assert quiet.code == 1 and not quiet.lines

    first = (workspace.results / "verify.csv").read_bytes()
    workspace.cloud.faults([{"on": "delivery", "do": {"error": {"status": 429, "headers": {"Retry-After": "7200"}}}}])
    stopped = workspace.run("verify").failed()
    assert len(stopped.lines) == 1 and "run the same command again after " in stopped.lines[0]
    workspace.cloud.stop()
    dead = workspace.run("verify", retries=0).failed()
    assert "20 URLs in a row got no answer: check the connection" in dead.lines[-1]
    assert "connection refused" in dead.lines[-1]
    assert (workspace.results / "verify.csv").read_bytes() == first, "half of it is never there"
    assert not workspace.leftovers()


def test_dripping_answer_times_out(workspace: Workspace) -> None:
    """In a run and in verify, whose calls are made by threads."""
    workspace.add("drips.jpg", "fine.jpg")
    drips = {"do": {"drip": True}, "match": "drips"}
    workspace.cloud.faults([{"on": "drive.media", **drips}, {"on": "delivery", "times": None, **drips}])
    workspace.run(timeout=0.5).succeeded()
    workspace.audit()
    workspace.run("verify", timeout=0.5, retries=2).failed().line("no answer: drips.jpg", "not finished after")
    assert {name: row["result"] for name, row in verified(workspace).items()} == {
        "drips.jpg": "no answer",
        "fine.jpg": "ok",
    }


def test_without_a_mapping_and_in_a_dry_run_nothing_is_asked(workspace: Workspace) -> None:
    for dry in ((), ("-n",)):
        early = workspace.run("verify", *dry).failed()
        command = f"snakemake --cores 8 --config folder_id={workspace.cloud.folder_id}"
        assert early.lines == [f"there is no mapping yet: run {command} first"]
    assert not workspace.results.exists()
    workspace.add("one.jpg", "two.jpg")
    workspace.run().succeeded()
    workspace.cloud.reset()
    preview = workspace.dry_run("verify").succeeded()
    assert preview.lines == [preview.line("2 URLs to ask for; mapping written ")]
    both = workspace.run("all", "verify").failed()
    assert both.lines == ["verify checks the existing mapping: run it by itself, after the migration"]
    counts = workspace.cloud.stats()["counts"]
    assert not counts.get("delivery.head") and not counts.get("cloudinary.upload"), counts
    path = workspace.results / "mapping.json"
    for content in (json.dumps([{"url": "http://127.0.0.1"}]), "[{}"):
        path.write_text(content)
        (workspace.run if content.endswith("]") else workspace.dry_run)("verify").refused("mapping.json")


def test_a_run_holds_its_folder_against_verify_and_verify_against_a_run(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run().succeeded()
    (workspace.results / "verify.csv").write_text("the last one")
    workspace.add("two.jpg")
    workspace.hold_uploads()
    running = workspace.start(timeout=PATIENCE)
    wait_for(workspace.held)
    workspace.run("verify").refused("another run holds ")
    workspace.cloud.faults([{"on": "delivery", "do": {"hold": 0}, "times": None}])
    workspace.finish(running).succeeded()

    verifying = workspace.start("verify", timeout=PATIENCE)
    wait_for(lambda: workspace.held("delivery.head"))
    workspace.run().refused("another run holds ")
    os.killpg(verifying.pid, signal.SIGINT)
    assert workspace.finish(verifying).failed(130).lines[-1].startswith("cancelled: ")
    assert (workspace.results / "verify.csv").read_text() == "the last one"
    assert not workspace.leftovers()
    wait_for(lambda: not workspace.processes())


def test_of_many_folders_each_has_its_verify_csv_and_its_line(workspace: Workspace) -> None:
    folders = [workspace.cloud.drive("folder", name=name) for name in ("Summer", "Winter")]
    for folder in folders:
        workspace.add("a.jpg", parent=folder)
    (workspace.path / "folders.csv").write_text("\n".join(["folder_id", *folders]))
    workspace.run(folder_id=None, folders="folders.csv").succeeded()
    cloudinary.uploader.destroy("Summer/a", **cloudinary_options(workspace.cloud.cloudinary_url))
    done = workspace.run("verify", folder_id=None, folders="folders.csv").failed()
    outcomes = ("0 answer as they should, 1 does not", "1 answers as it should, 0 do not")
    for folder, outcome in zip(folders, outcomes, strict=True):
        done.line(f"1 URL asked: {outcome}", f"results/{folder}/verify.csv")
        assert (workspace.path / "results" / folder / "verify.csv").read_text().count("\n") == 2
