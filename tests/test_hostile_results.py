"""Results are data: whatever stands in their files ends in no traceback, hangs nothing, and leads to no other file."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drive2cloudinary.drive.walk import Walked
from drive2cloudinary.errors import ImageError, MigrationError
from drive2cloudinary.files import remove_unfinished, replacing
from drive2cloudinary.plan.earlier import last_listing
from drive2cloudinary.plan.make_listing import make_listing
from drive2cloudinary.plan.migration import Migration
from drive2cloudinary.report.merging import merge_mappings, merge_markers
from drive2cloudinary.report.summary import summary
from drive2cloudinary.results import batches, failure, listing, marker, shared
from drive2cloudinary.results.run import Run
from drive2cloudinary.run import verify_run
from drive2cloudinary.settings import Settings
from drive2cloudinary.terminal.preview import Preview
from tests.emulator.client import Emulator
from tests.harness import Workspace, wait_for, waiters

DEEP = "[" * 100_000 + "]" * 100_000
VALUES = ["null", "-1", "1" + "0" * 400, "1e400", "NaN", '""', "[]", DEEP, '"\\ud800"', '"\\u001b[2J\\n"']
VALUES += [
    '"../../precious.txt"',
    '{"marker": "../../precious.txt"}',
    '"0001-01-01T00:00:00+14:00"',
    f'"{"x" * 100_000}"',
]
MARK = "here it goes"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The results folder of a real run, in which one image failed, one was left out, and one replaces an older one."""
    path = tmp_path_factory.mktemp("hostile")
    with Emulator(path / "Photos", path / "cloud") as cloud:
        (path / "work").mkdir()
        workspace = Workspace(path / "work", cloud)
        workspace.add("one.jpg", "two.jpg")
        cloud.drive("add", name="not a picture.jpg", content_base64="AAAA", parent="")
        workspace.add("left out.jpg")
        assert workspace.run(exclude="left*", fit=False).code == 1
        listed = workspace.results / "listing.json"
        value = json.loads(listed.read_text())
        changed = value["images"][0]
        changed["replaces"] = {"version": 1, "etag": "e", "marker": f"{changed['id']}.{'0' * 32}.json"}
        write_listing(listed, value)
        yield workspace.results


def write_listing(path: Path, value: dict[str, Any]) -> None:
    """As Listing.write has it: a line for each image."""
    images = ",\n".join(map(json.dumps, value.pop("images")))
    path.write_text(f'{json.dumps(value)[:-1]}, "images": [\n{images}\n]}}\n')


def spoiled(value: Any) -> Iterator[Any]:
    """Copies of a JSON value in each of which another value, or the whole, is MARK; of a list, only its first entry."""
    yield MARK
    if isinstance(value, dict | list):
        for key, each in list(value.items()) if isinstance(value, dict) else list(enumerate(value[:1])):
            for other in spoiled(each):
                copy = value.copy()
                copy[key] = other
                yield copy


def all_that_reads(folder: Path, settings: Settings) -> list[Callable[[], object]]:
    """Each step of a run, a dry run, a verification, a batch, that opens a file of the results."""
    migration = Migration(settings, print)
    listed = folder / "listing.json"

    def dry_run() -> None:
        found = migration.listed_as_set()
        Preview(*migration.pending(found, again=False, dryrun=True), found, False, settings).print("images", [])

    def batch() -> None:
        for path in (folder / "batches").glob("*.txt"):
            assert all(marker.named(folder, name).parent == folder / "markers" for name in batches.read(path).markers)

    def next_listing() -> None:
        root: Any = type("Root", (), {"name": "Photos"})
        new = make_listing(settings, root, Walked([], [], []), last_listing(folder))
        new.write(folder.parent / "new.json")
        assert listing.read(folder.parent / "new.json") == new

    def each_image() -> None:
        entries = listing.Entries(listed)
        for file_id in known:
            with suppress(ImageError):
                replaced = entries.image(file_id).replaces
                assert not replaced or "/" not in replaced["marker"]

    def records() -> None:
        for path in (folder / "failures").iterdir():
            record = failure.read(folder, path.stem)
            assert record is None or record.message.isprintable()

    def run() -> None:
        assert re.fullmatch("([0-9a-f]{32})?", Run(folder).id)
        Run(folder).is_alive()
        Run(folder)._holder()

    known = {path.name.partition(".")[0] for path in (folder / "markers").iterdir()}
    return [
        dry_run,
        each_image,
        next_listing,
        batch,
        lambda: verify_run._previewed(folder / "mapping.json"),
        lambda: summary([folder / "mapping.json"]),
        lambda: merge_markers(folder),
        lambda: merge_mappings([folder / "mapping.json"], folder.parent),
        records,
        run,
        lambda: remove_unfinished(folder),
    ]


@pytest.mark.xdist_group("hostile results")
@pytest.mark.parametrize("kind", ["listing.json", "mapping.json", "run.json", "markers", "failures"])
def test_hostile_fields_end_in_a_line_or_change_nothing(
    results: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results" / results.name
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    settings = Settings(folder_id=results.name, results=str(folder.parent))
    files = {
        path.relative_to(results): path.read_bytes() for path in results.rglob("*.json") if "logs" not in path.parts
    }
    (name,) = [name for name in files if name.parts[0] == kind][:1]
    whole = json.loads(files[name])
    if kind == "markers":
        assert whole["cloudinary"]["bytes"]
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for form in spoiled(whole):
        if kind == "listing.json" and isinstance(form, dict) and isinstance(form["images"], list):
            write_listing(tmp_path / "form.json", dict(form))
            text = (tmp_path / "form.json").read_text()
        else:
            text = json.dumps(form)
        for value in VALUES:
            (folder / name).write_text(text.replace(f'"{MARK}"', value))
            for step in all_that_reads(folder, settings):
                with suppress(MigrationError):
                    step()
            for left in (folder / "markers").glob("*.corrupt"):
                left.unlink()
            for path in (Path("listing.json"), Path("mapping.json"), name):
                (folder / path).write_bytes(files[path])
        assert precious.read_text() == "mine"
        assert "\x1b" not in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "form.json") == ["precious.txt", "results"]


def fifo_at(path: Path) -> None:
    """A pipe to which nobody writes, in the place of a file that may be there."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


def test_runs_survive_hostile_files_in_the_results(workspace: Workspace) -> None:
    """Names that lead elsewhere, and pipes to which nobody writes."""
    ids = workspace.add("one.jpg", "two.jpg", "three.jpg")
    workspace.run().succeeded()
    precious = workspace.path / "precious.txt"
    precious.write_text("mine")
    listed = workspace.results / "listing.json"
    value = json.loads(listed.read_text())
    for image in value["images"]:
        image["replaces"] = {"marker": "../../../precious.txt"}
    write_listing(listed, value)
    for path in (workspace.results / "markers").iterdir():
        path.unlink()
    workspace.run().succeeded()
    workspace.audit()
    assert precious.read_text() == "mine"

    marker_of_one = next((workspace.results / "markers").glob(f"{ids[0]}.*"))
    spoiled = [listed, marker_of_one, workspace.results / "mapping.json", workspace.results / "report.html"]
    for path in (*spoiled, workspace.results / "failures" / f"{ids[0]}.json"):
        fifo_at(path)
    workspace.dry_run().refused("listing.json is not a listing")
    done = workspace.run().succeeded()
    done.line(marker_of_one.name, "not a valid marker")
    aside = {path.name: path for path in workspace.results.rglob("*.corrupt")}
    names = ["listing.json.corrupt", f"{marker_of_one.stem}.corrupt", "mapping.json.corrupt", "report.html.corrupt"]
    assert sorted(aside) == sorted(names)
    for name, path in aside.items():
        done.line("kept as", name)
        path.unlink()
    workspace.audit()

    fifo_at(workspace.results / "run.json")
    workspace.run().refused("run.json", "is not a file")


def test_a_batch_of_anything_but_markers_is_refused(workspace: Workspace) -> None:
    path = workspace.results / "batches" / "1.txt"
    path.parent.mkdir(parents=True)
    path.write_text("../../../precious.txt\n")
    workspace.script("upload_batch.py", f"--settings={workspace.settings()}", "--at-once=1", str(path)).refused(
        "1.txt is not a batch"
    )


def test_two_threads_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    """As two threads of a process do that both find a reason to stop: the file is always one of the two, and whole."""
    path = tmp_path / "stop.txt"
    with replacing(path) as first:
        first.write("first")
        with replacing(path) as second:
            second.write("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("before", ["whole", ""])
def test_a_file_whose_process_is_killed_while_it_is_written_stays_as_it_was(tmp_path: Path, before: str) -> None:
    """As a marker that is not there yet, or one that is replaced."""
    path = tmp_path / "marker.json"
    if before:
        path.write_text(before)
    child = os.fork()
    if not child:
        with replacing(path) as stream:
            stream.write("half")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert (path.read_text() if path.exists() else "") == before


def test_half_written_files_of_killed_processes_go_with_the_next_run(workspace: Workspace) -> None:
    """Also what a dry run has left, and what lies beside the results folders; but nothing of the user's own there."""
    workspace.add("1.jpg")
    workspace.run().succeeded()
    results, unfinished = workspace.results.parent, "0a" * 16
    (workspace.results / "failures").mkdir(exist_ok=True)
    (results / "logs").mkdir()
    halves = [
        *(workspace.results / folder / f".mapping.json.{end}" for folder in FOLDERS for end in (unfinished, "4711")),
        workspace.results / f"..listing.dry-run.1.json.{unfinished}",
        *(results / f".{name}.{unfinished}" for name in ("mapping.csv", "mapping.json")),
        results / ".mapping.csv.4711",
        results / "logs" / f".merged.json.{unfinished}",
    ]
    mine = [results / f".notes.txt.{unfinished}", results / ".mapping.csv.backup", results / "logs" / ".mine.4711"]
    for path in (*halves, *mine):
        path.write_text("half")
    (workspace.results / ".a folder.1").mkdir()
    workspace.run().succeeded()
    assert not [path for path in halves if path.exists()] and all(path.exists() for path in mine)


FOLDERS = ("", "markers", "failures", "logs")


def test_cleaning_up_waits_for_what_another_run_is_writing(tmp_path: Path) -> None:
    """Whoever sweeps waits for it."""
    (tmp_path / "1AbC").mkdir()
    sweeping = threading.Thread(target=shared.sweep, args=(tmp_path / "1AbC",))
    with shared.held(tmp_path):
        with replacing(tmp_path / "mapping.csv") as stream:
            stream.write("half")
            sweeping.start()
            wait_for(lambda: waiters(tmp_path / ".naming.lock"))
            stream.write(" and half")
        assert (tmp_path / "mapping.csv").read_text() == "half and half"
    sweeping.join()
    assert (tmp_path / "mapping.csv").exists()
