"""The three commands of the README, from end to end."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.filesize import decimal

from tests.emulator.client import Emulator
from tests.harness import ROOT, SNAKEMAKE, Finished, Summary, Workspace

COLUMNS = "local_filename,cloudinary_url,jpg_url,status,error,folder_path,filename,file_id,public_id,bytes,md5"


def add_pictures(workspace: Workspace) -> dict[str, str]:
    """Pictures of four formats, two of them in folders; file ID → path in Drive."""
    inner = workspace.cloud.drive("folder", name="Inner")
    deeper = workspace.cloud.drive("folder", name="Deeper, too", parent=inner)
    places = [("one.jpg", "", ""), ("two.png", "", ""), ("three.webp", inner, "Inner/")]
    places.append(("four.gif", deeper, "Inner/Deeper, too/"))
    return {
        workspace.cloud.drive(
            "add", name=name, parent=parent, picture={"format": name.partition(".")[2], "seed": seed, **SIZE}
        ): path + name
        for seed, (name, parent, path) in enumerate(places)
    }


SIZE = {"width": 60, "height": 40}


@dataclass(frozen=True)
class Migrated:
    """A folder of pictures (file ID → path in Drive) after its first run, and what that has said."""

    workspace: Workspace
    pictures: dict[str, str]
    first: Finished


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    path = tmp_path_factory.mktemp("migrated")
    with Emulator(path / "Photos", path / "cloud") as cloud:
        (path / "work").mkdir()
        workspace = Workspace(path / "work", cloud)
        yield Migrated(workspace, add_pictures(workspace), workspace.run())
        assert not workspace.secrets_left()


@pytest.mark.xdist_group("migrated")
def test_the_first_run_says_what_it_has_done(migrated: Migrated) -> None:
    workspace, first = migrated.workspace, migrated.first
    first.succeeded()
    rows = workspace.audit()
    first.line("4 images listed: 4 to move, 0 moved before, 0 skipped")
    headline, _, mapping, _ = first.lines[-4:]
    moved = re.escape(f"4 images in Cloudinary, 4 uploaded now, {decimal(sum(row['bytes'] for row in rows))} in ")
    assert re.fullmatch(rf"{moved}\d+ s, [0-9.]+ images/s", headline)
    assert workspace.agreed(first).counts == {"uploaded": 4, "existing": 0, "failed": 0, "skipped": 0}
    results = workspace.results.relative_to(workspace.path)
    assert mapping == f"mapping: {results / 'mapping.csv'}; report: {results / 'report.html'}"
    log = (workspace.results / "logs" / "images.log").read_text().splitlines()
    shown = [re.fullmatch(r"\S+ uploaded download [0-9.]+ s upload [0-9.]+ s (\S+) (.+)", line) for line in log]
    urls = {migrated.pictures[row["file_id"]]: row["cloudinary_url"] for row in rows}
    assert {each[2]: each[1] for each in shown if each} == urls and len(log) == len(rows)
    assert not set(log) & set(first.lines)


@pytest.mark.xdist_group("migrated")
def test_each_picture_is_delivered_as_it_is_and_as_jpg_under_its_folder_and_name(migrated: Migrated) -> None:
    workspace = migrated.workspace
    rows, assets = workspace.audit(), workspace.cloud.assets()
    paths = {row["file_id"]: "/".join(filter(None, (row["folder_path"], row["filename"]))) for row in rows}
    assert paths == migrated.pictures
    assert sorted(assets) == ["Photos/Inner/Deeper__too/four", "Photos/Inner/three", "Photos/one", "Photos/two"]
    for row in rows:
        assert (row["status"], row["error"], row["local_filename"]) == ("uploaded", "", Path(row["filename"]).stem)
        is_jpg = row["cloudinary_url"].endswith(".jpg")
        assert row["jpg_url"] == row["cloudinary_url"].replace("/upload/", "/upload/" if is_jpg else "/upload/f_jpg/")
        with urllib.request.urlopen(row["cloudinary_url"]) as answer:
            content = answer.read()
            assert (hashlib.md5(content).hexdigest(), len(content)) == (row["md5"], row["bytes"])
        with urllib.request.urlopen(row["jpg_url"]) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
        asset = assets[row["public_id"]]
        assert asset["asset_folder"] == "/".join(filter(None, ("Photos", row["folder_path"])))
        assert asset["display_name"] == row["local_filename"], "the media library adds the extension itself"
        assert (asset["sent_filename"], asset["resource_type"]) == (row["filename"], "image")


@pytest.mark.xdist_group("migrated")
def test_a_second_run_moves_no_byte(migrated: Migrated) -> None:
    workspace = migrated.workspace
    files = [*(workspace.results / "markers").iterdir(), workspace.results / "mapping.json"]
    before = {path: path.stat().st_mtime_ns for path in files}
    workspace.cloud.reset()
    again = workspace.run().succeeded()
    counts = workspace.cloud.stats()["counts"]
    assert not counts.get("drive.media") and not counts.get("cloudinary.upload"), counts
    assert {path: path.stat().st_mtime_ns for path in files} == before
    again.line("4 images listed: 0 to move, 4 moved before, 0 skipped")
    assert again.lines[-3:] == migrated.first.lines[-3:]
    assert Summary.of(again).now == 0


@pytest.mark.xdist_group("migrated")
def test_listing_and_markers_hold_what_others_rely_on(migrated: Migrated) -> None:
    workspace = migrated.workspace
    logs = {path.name for path in (workspace.results / "logs").iterdir()}
    assert {"list_images.log", "merge_markers.log"} <= logs
    listing = json.loads((workspace.results / "listing.json").read_text())
    assert datetime.now(UTC) - datetime.fromisoformat(listing["listed_at"]) < timedelta(minutes=5)
    entries = {entry["id"]: entry for entry in listing["images"]}
    assert set(entries) == set(migrated.pictures)
    nodes = {node["id"]: node for node in workspace.cloud.nodes()}
    for file_id, entry in entries.items():
        assert set(entry) == {"id", "name", "folder_path", "mime_type", "size", "md5", "modified_time", "public_id"}
        assert (entry["md5"], entry["size"], entry["name"], entry["mime_type"]) == tuple(
            nodes[file_id][key] for key in ("md5", "size", "name", "mimeType")
        )
    markers = workspace.markers()
    assert set(markers) == {f"{file_id}.{entry['md5']}.json" for file_id, entry in entries.items()}
    for marker in markers.values():
        assert set(marker) == {"format", "drive", "cloudinary", "jpg_url", "status", "uploaded_at", "seconds"}
        assert marker["drive"] == entries[marker["drive"]["id"]]
        stored = workspace.cloud.assets()[marker["cloudinary"]["public_id"]]
        kept = ("public_id", "asset_id", "version", "format", "bytes", "etag", "width", "height")
        assert set(marker["cloudinary"]) == {*kept, "secure_url"}
        assert all(marker["cloudinary"][key] == stored[key] for key in kept)
        assert marker["cloudinary"].items() >= SIZE.items()
        assert datetime.fromisoformat(marker["uploaded_at"]).utcoffset() == timedelta(0)
        assert set(marker["seconds"]) == {"download", "upload"} and min(marker["seconds"].values()) >= 0


@pytest.mark.xdist_group("migrated")
def test_the_mapping_is_a_table_in_order_with_the_columns_that_others_rely_on(migrated: Migrated) -> None:
    raw = (migrated.workspace.results / "mapping.csv").read_bytes()
    assert raw.decode("utf-8").split("\r\n")[0] == COLUMNS
    assert raw.count(b"\r\n") == raw.count(b"\n") == 1 + 4, "RFC 4180"
    table = list(csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True))
    rows = migrated.workspace.mapping()
    assert all(list(row) == COLUMNS.split(",") for row in rows)
    assert table == [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    keys = [(row["folder_path"], row["filename"], row["file_id"]) for row in rows]
    assert keys == sorted(keys)


def test_a_dry_run_on_a_new_folder_names_what_it_would_upload_and_moves_nothing(workspace: Workspace) -> None:
    pictures = add_pictures(workspace)
    size = decimal(sum(node["size"] for node in workspace.cloud.nodes() if node["md5"]))
    first = workspace.dry_run().succeeded()
    assert sorted(line.split(maxsplit=1) for line in first.lines[:-2]) == sorted(["new", p] for p in pictures.values())
    summary = f"4 of 4 images to move (4 new, 0 changed, 0 failed before), {size}; listed "
    assert first.lines[-2:] == ["to: the folder Photos in the cloud emulated", f"{summary}just now"]
    assert not workspace.markers() and not (workspace.results / "mapping.csv").exists()
    assert not workspace.calls("drive.media") and not workspace.cloud.assets()

    workspace.add("later.jpg")
    workspace.cloud.reset()
    path = workspace.results / "listing.json"
    value = json.loads(path.read_text())
    value["listed_at"] = (datetime.now(UTC) - timedelta(hours=5, minutes=1)).isoformat(timespec="seconds")
    path.write_text(json.dumps(value))
    assert workspace.dry_run("--quiet").lines == [f"{summary}5 hours ago (-R list_images lists again)"]
    assert not workspace.dry_run("--quiet", "all").lines
    assert not workspace.cloud.stats()["counts"], "not a call"


def test_a_folder_of_no_images_is_a_success_with_an_empty_mapping(workspace: Workspace) -> None:
    workspace.cloud.drive("folder", name="Empty")
    dry = workspace.dry_run().succeeded()
    assert dry.lines == [dry.line("0 of 0 images to move (0 new, 0 changed, 0 failed before), 0 bytes; listed ")]
    done = workspace.run().succeeded()
    assert workspace.agreed(done).wanted == 0 and workspace.mapping() == []
    assert (workspace.results / "mapping.csv").read_bytes() == f"{COLUMNS}\r\n".encode()


def test_a_folders_url_a_service_account_and_another_cloudinary_folder_serve_as_well(workspace: Workspace) -> None:
    """With the three variables, out of .env; in fixed folder mode, and with another results folder."""
    workspace.add("one.jpg")
    workspace.cloud.settings(fixed_folders=True)
    found = re.fullmatch(r"cloudinary://(.+):(.+)@(.+)\?upload_prefix=(.+)", workspace.cloud.cloudinary_url)
    assert found
    names = ("API_KEY", "API_SECRET", "CLOUD_NAME", "UPLOAD_PREFIX")
    lines = [f"CLOUDINARY_{name}={value}" for name, value in zip(names, found.groups(), strict=True)]
    (workspace.path / ".env").write_text("\n".join(lines))
    workspace.environment["CLOUDINARY_URL"] = ""
    url = f"https://drive.google.com/drive/u/0/folders/{workspace.cloud.folder_id}?usp=sharing"
    config: dict[str, Any] = {
        "token": workspace.cloud.service_account,
        "folder_name": "Archive/2026",
        "results": "out put",
    }
    workspace.run(folder_id=url, **config).succeeded()
    (asset,) = workspace.cloud.assets().values()
    assert asset["public_id"] == "Archive/2026/one"
    (row,) = json.loads((workspace.path / "out put" / workspace.cloud.folder_id / "mapping.json").read_text())
    assert row["status"] == "uploaded"
    assert not (workspace.path / "results").exists()


def test_the_commands_of_the_readme_are_enough_exactly_as_they_are_written(workspace: Workspace) -> None:
    """In a clone: token.json beside the Snakefile, and the one line of config.yaml that leads to the emulator."""
    for name in ("Snakefile", "config.schema.yaml"):
        shutil.copy(ROOT / name, workspace.path)
    for name in ("scripts", "profiles", "envs"):
        shutil.copytree(ROOT / name, workspace.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(workspace.cloud.token, workspace.path / "token.json")
    config = (ROOT / "config.yaml").read_text().replace("https://www.googleapis.com", workspace.cloud.drive_endpoint)
    (workspace.path / "config.yaml").write_text(config)
    workspace.add("one.jpg", "two.jpg")
    environment = {**os.environ, "CLOUDINARY_URL": workspace.cloud.cloudinary_url}
    environment["PATH"] = f"{SNAKEMAKE.parent}:{environment['PATH']}"
    outputs = []
    for command in ("snakemake -n", "snakemake --cores 8", "snakemake -n"):
        done = subprocess.run(
            f"{command} --config folder_id={workspace.cloud.folder_id}",
            shell=True,
            cwd=workspace.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(Finished(done.returncode, done.stdout, done.stderr).lines)
    assert "2 of 2 images to move" in outputs[0][-1] and outputs[2][0].startswith("0 of 2 images to move")
    assert "2 images: 2 uploaded, 0 existing, 0 failed, 0 skipped" in outputs[1]
    workspace.audit()
