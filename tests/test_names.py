"""public_ids: valid, unique and stable for any name that Drive can hold."""

from __future__ import annotations

import csv
import fcntl
import itertools
import random
import re
import unicodedata
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drive2cloudinary.cloudinary import names
from drive2cloudinary.plan import public_ids
from drive2cloudinary.results import listing
from tests.emulator.cloudinary_api import REWRITES
from tests.emulator.naming import as_stored, is_valid
from tests.harness import Finished, Workspace, jpeg, wait_for, waiters

NASTY = [*"/\\.?&#%<>+ \t\n\r\0\x7f\x85\u2028\u202e\u200d\ufeff\ud800é東'\"=@|*:a_\u00a0\u3000"]
NASTY += ["..", "e\u0301", "👨‍👩‍👧", "v12", "a" * 130, "東" * 130, "%2F", "%2e%2e", ".jpg", "jpg"]

HOSTILE = r"""../../x.png
/etc/passwd.png
..
.
.hidden
no extension
a.jpg
a.png
two of one name.jpg
two of one name.jpg
東京.jpg
a?b&c#d.jpg
a%2Fb<c>+d.jpg
back\slash.jpg
=cmd|' /C calc'!A0
+1.jpg
-1.jpg
@SUM(A1).jpg
quotes " ' `id` $(touch x.png) ; touch x.png.jpg
'; touch x.png; '.jpg
{output} {wildcards.file_id} %s {{}}.jpg
emoji 👨‍👩‍👧 🎉.jpg
v123.jpg
<script>alert(1)</script>.jpg""".splitlines()
HOSTILE += ["new\nline.jpg", "tab\tand\rreturn.jpg", " spaces at both ends .jpg ", "left\u202egpj.to right.jpg"]
HOSTILE += ["e\u0301tude.jpg", "\u00e9tude.jpg", f"{'long ' * 50}x.jpg"]


def nasty_names() -> list[str]:
    dice = random.Random(0)
    pairs = ["".join(pair) for pair in itertools.product(NASTY, repeat=2)]
    return [*NASTY, *pairs, *("".join(dice.choices(NASTY, k=dice.randint(3, 12))) for _ in range(5000))]


def check(public_id: str) -> None:
    """PROTOCOLS.md's rules for a public_id, and that it can be sent and shown."""
    assert 1 <= len(public_id) <= 255, public_id
    assert not re.search(r"[?&#\\%<>+\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", public_id), public_id
    assert public_id == public_id.strip().strip("/"), public_id
    segments = public_id.split("/")
    assert all(segment == segment.strip() != "" for segment in segments), public_id
    assert not {".", ".."} & set(segments), public_id
    assert not any(re.fullmatch(r"v\d+", folder) for folder in segments[:-1]), public_id
    assert unicodedata.is_normalized("NFC", public_id)
    assert is_valid(public_id), "and what the emulated Cloudinary says"


def test_every_name_folder_and_path_becomes_a_valid_public_id() -> None:
    for name in nasty_names():
        check(names.public_id("Photos", (), name))
        check(names.public_id(name, (name,), name))
        check(names.public_id("v1", ("v2/v3", name, "v4"), f"{name}.jpg"))
        check(names.asset_folder(name, (name, name)))


def test_suffixes_keep_a_public_id_valid() -> None:
    for name in nasty_names()[::7]:
        check(names.with_suffix(names.public_id(name, (name,), name), "1" * 33))
    for length in range(200, 256):
        check(names.with_suffix(f"{'a' * (length - 60)}/{'b ' * 30}"[:length].strip(), "12345678"))


@pytest.mark.parametrize("folder", ["x" * 400, "x/" * 200, "v1/" * 100, "東" * 300, "x" * 198 + "/v12345"])
def test_a_long_folder_leaves_room_for_the_name(folder: str) -> None:
    one, other = (names.public_id("Photos", tuple(folder.split("/")), name) for name in ("one.jpg", "other.jpg"))
    check(one)
    check(other)
    assert one.endswith("/one") and other.endswith("/other")


def test_display_names_are_printable_and_never_empty() -> None:
    for name in nasty_names():
        shown = names.display_name(name)
        assert 1 <= len(shown) <= 255 and "/" not in shown and shown == shown.strip()
        assert not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", shown)


def test_the_stem_is_the_name_without_its_extension() -> None:
    stems = {
        ("photo.JPG", "JPG"): "photo",
        ("a.b.jpeg", ""): "a.b",
        ("IMG.jpeg.heic", "heic"): "IMG.jpeg",
        (".hidden", ""): ".hidden",
        (".jpg", "jpg"): ".jpg",
        ("ends with a dot.", ""): "ends with a dot.",
        ("Scan 05.01.2024", ""): "Scan 05.01.2024",
        ("Scan 05.01.2024", "2024"): "Scan 05.01.2024",
        ("Scan 05.01.2024.jpg", "jpg"): "Scan 05.01.2024",
        ("archive.tar.gz", "gz"): "archive.tar",
        ("raw.NEF", "nef"): "raw",
        ("raw.nef", ""): "raw.nef",
        ("", ""): "",
    }
    assert {given: names.stem(*given) for given in stems} == stems


def test_a_name_without_an_extension_keeps_its_dots(workspace: Workspace) -> None:
    held, *_ = workspace.add("Scan 05.01.jpg", "photo.jpg", "photo.png")
    workspace.run().succeeded()
    # An image that holds a name keeps it, as those do from which an earlier version has cut what follows a dot.
    workspace.cloud.drive("rename", id=held, name="Scan 05.01.2023")
    workspace.cloud.drive("replace", id=held, content_base64=jpeg("new"))
    workspace.add("Scan 05.01.2024", "Scan 05.01", "Dr. Who", "v1.2_final", "raw.NEF", mime="image/jpeg")
    warned = workspace.dry_run("-R", "list_images").line("of another name in Cloudinary than in Drive")
    assert sorted(re.findall("([^,:]+) → ", warned)) == [" Scan 05.01", " Scan 05.01.2023"]
    workspace.run().succeeded()
    rows = {row["filename"]: (row["local_filename"], row["public_id"]) for row in workspace.mapping()}
    for name in ("Scan 05.01.2024", "Dr. Who", "v1.2_final"):
        public_id = as_stored(f"Photos/{name}", "specials")
        assert rows[name] == (name, public_id)
        assert workspace.cloud.assets()[public_id]["display_name"] == name
    assert rows["raw.NEF"] == ("raw", "Photos/raw")
    assert rows["Scan 05.01.2023"] == ("Scan 05.01.2023", "Photos/Scan_05.01")
    assert rows["Scan 05.01"][1].startswith("Photos/Scan_05.01_") and len(workspace.cloud.assets()) == 8


def test_ordinary_names_stay_what_they_are() -> None:
    assert (
        names.public_id("Photos", ("2024", "Summer in Rome"), "Forum (1).jpg") == "Photos/2024/Summer in Rome/Forum (1)"
    )
    assert names.public_id("Photos", (), "東京.jpg") == "Photos/東京"
    assert names.public_id("Photos", ("a",), "v12.jpg") == "Photos/a/v12", "only folders are taken for versions"
    assert names.public_id("Photos", ("v12",), "a.jpg") == "Photos/_v12/a"


def test_no_two_images_get_one_name_whatever_they_want() -> None:
    dice = random.Random(1)
    ids = [f"1{dice.getrandbits(160):040x}"[:33] for _ in range(3000)]
    ids += [f"{number}{ids[0][-20:]}" for number in range(20)]
    wanted = [(file_id, names.public_id("Photos", (), dice.choice(NASTY))) for file_id in ids]
    # Somebody is called just what a suffix would make of another's name.
    wanted += [
        (f"trap{number}", names.with_suffix(name, file_id[-8:])) for number, (file_id, name) in enumerate(wanted[:50])
    ]
    given = public_ids.assign(wanted, {}, {})
    assert set(given) == {file_id for file_id, _ in wanted}
    assert len({names.asset_key(public_id) for public_id in given.values()}) == len(given)
    for public_id in given.values():
        check(public_id)


def test_names_are_stable_whoever_comes_and_goes() -> None:
    dice = random.Random(2)
    wanted = [(f"id{number:04}", f"Photos/{number % 7}") for number in range(60)]
    held = public_ids.assign(wanted, {}, {})
    for _ in range(20):
        present = dice.sample(wanted, 40) + [(f"new{dice.random()}", f"Photos/{dice.randrange(7)}") for _ in range(5)]
        dice.shuffle(present)
        given = public_ids.assign(present, held, {})
        assert all(given[file_id] == held[file_id] for file_id, _ in present if file_id in held)
        held |= given
        assert len(set(held.values())) == len(held), "a name once given is never given to another"


def test_what_may_be_one_asset_to_the_service_has_one_key() -> None:
    for alike in (
        ["a,b", "a;b", "a(b", "a😀b", "a_b", "(a b)", "_a_b_", "a\u0301b"],
        ["Photos/東京", "Photos/(東京)", "Photos_/東京 ", "_Photos/_東京"],
        ["Photos/_", "Photos/__", "Photos/()", "Photos/👨‍👩‍👧"],
        ["a/_/b", "a/(/b"],
    ):
        assert len({names.asset_key(public_id) for public_id in alike}) == 1
        assert len({as_stored(public_id, "specials") for public_id in alike}) == 1


def test_letters_digits_dots_and_hyphens_tell_public_ids_apart() -> None:
    apart = ["a.b", "a-b", "ab", "a_b", "a/b", "A.b", "a/_/b", "a__b", "é", "e", "東", "京", "٣", "3", "½", "a"]
    apart += ["_/a", "a/_"]
    assert len({names.asset_key(public_id) for public_id in apart}) == len(apart)


def test_no_two_new_names_may_be_one_asset_and_those_of_earlier_runs_stay() -> None:
    dice = random.Random(3)
    held = {"old1": "Photos/a,b", "old2": "Photos/a;b", "gone": "Photos/(c)"}
    wanted = [(file_id, held[file_id]) for file_id in ("old1", "old2")] + [("new", "Photos/a_b"), ("c", "Photos/c")]
    for number, each in enumerate(",;()_ 😀é'~" * 100):
        file_id = f"{dice.choice('_-ab')}{number:06}{'_' * dice.randrange(4)}"
        wanted.append((file_id, f"Photos/{dice.choice('abc')}{each}{dice.choice('ab')}"))
    given = public_ids.assign(wanted, held, {})
    assert {file_id: given[file_id] for file_id in ("old1", "old2")} == {"old1": "Photos/a,b", "old2": "Photos/a;b"}
    new = [names.asset_key(name) for file_id, name in given.items() if file_id not in held]
    assert len(set(new)) == len(new) and not set(new) & {names.asset_key(name) for name in held.values()}
    for public_id in given.values():
        check(public_id)


ALIKE = ["a,b.jpg", "a;b.jpg", "a(b.jpg", "a😀b.jpg", "a_b.jpg", "(a b).jpg", "(.jpg", ").jpg"]


@pytest.mark.parametrize("rewrites", REWRITES)
def test_names_that_the_service_may_take_for_one_are_apart_and_stable(workspace: Workspace, rewrites: str) -> None:
    cloud = workspace.cloud
    cloud.settings(rewrites=rewrites)
    ids = workspace.add(*ALIKE)
    workspace.run(overwrite=True).succeeded()

    def stored() -> dict[str, str]:
        return {row["file_id"]: row["public_id"] for row in workspace.mapping()}

    def asked() -> dict[str, str]:
        return {value["drive"]["id"]: value["drive"]["public_id"] for value in workspace.markers().values()}

    first, first_asked = stored(), asked()
    workspace.audit()
    assert len({as_stored(public_id, "specials") for public_id in first_asked.values()}) == len(ids)
    assert {file_id: as_stored(first_asked[file_id], rewrites) for file_id in ids} == first

    # What is new, is content alone: each is replaced where it is.
    for number, file_id in enumerate(ids[:3]):
        cloud.drive("replace", id=file_id, content_base64=jpeg(number))
    (workspace.results / "listing.json").unlink()
    workspace.run().succeeded()
    assert (stored(), asked()) == (first, first_asked)
    stores = {file_id: cloud.assets()[public_id]["stores"] for file_id, public_id in first.items()}
    assert stores == {file_id: 2 if file_id in ids[:3] else 1 for file_id in ids}

    # A lost results folder: the same names once more, and nothing is stored.
    for path in workspace.results.rglob("*.json"):
        path.unlink()
    workspace.run().succeeded()
    assert stored() == first and len(cloud.assets()) == len(ids)
    assert set(workspace.statuses().values()) == {"existing"}


def test_two_runs_that_name_images_at_the_same_time_wait_for_each_other(workspace: Workspace) -> None:
    folders = [workspace.cloud.drive("folder", name="Photos") for _ in range(2)]
    for folder_id in folders:
        workspace.add(*(f"{number}.jpg" for number in range(100)), parent=folder_id)
    results = workspace.path / "results"
    results.mkdir()

    def list_images(folder_id: str) -> Finished:
        settings = workspace.settings(folder_id=folder_id)
        return workspace.script("list_images.py", f"--settings={settings}", f"results/{folder_id}/listing.json")

    with ThreadPoolExecutor() as threads, (results / ".naming.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runs = [threads.submit(list_images, folder_id) for folder_id in folders]
        wait_for(lambda: waiters(results / ".naming.lock") == 2)
        fcntl.flock(lock, fcntl.LOCK_UN)
        for run in runs:
            run.result().succeeded()
    named = [
        each.public_id for folder_id in folders for each in listing.read(results / folder_id / "listing.json").images
    ]
    assert len(set(named)) == len(named) == 200


def test_a_drive_folder_whose_name_holds_a_slash_or_nothing_stays_one_folder(workspace: Workspace) -> None:
    """And its images have other names and tags than those of folders whose paths look the same."""
    folder = workspace.cloud.drive
    year = folder("folder", name="2023")
    expected = {
        folder("folder", name="2023/24"): ("2023/24", "Photos/2023_24/a", ["in 2023/24", "at 2023/24", "2023/24"]),
        year: ("2023", "Photos/2023/a", ["in 2023", "at 2023", "2023"]),
        folder("folder", name="24", parent=year): (
            "2023/24",
            "Photos/2023/24/a",
            ["in 24", "at 2023/24", "2023", "24"],
        ),
        folder("folder", name="/", parent=year): ("2023//", "Photos/2023/_/a", ["in /", "at 2023//", "2023", "/"]),
        folder("folder", name=""): ("", "Photos/_/a", ["in", "at"]),
    }
    ids = {parent: workspace.add("a.jpg", parent=parent, content_base64=jpeg(parent))[0] for parent in expected}
    workspace.add("a.jpg")
    done = workspace.run("--verbose", upload="{tags: ['in {folder}', 'at {path}']}", tags_from_folders=True).succeeded()
    rows = {row["file_id"]: row for row in workspace.audit()}
    stored = workspace.cloud.assets()
    for parent, wanted in expected.items():
        row = rows[ids[parent]]
        assert (row["folder_path"], row["public_id"], stored[row["public_id"]]["tags"]) == wanted
    assert all(asset["asset_folder"] == asset["public_id"].rpartition("/")[0] for asset in stored.values())
    counts = re.findall(r"^(.*): (\d) uploaded, 0 existing, 0 failed, 0 skipped, .*B$", done.said, re.MULTILINE)
    places = ["not in a subfolder", "/", "2023/", "2023///", "2023/24/", "2023/24/"]
    assert counts == [(place, "3" if place == "2023/" else "1") for place in places]
    text = (workspace.results / "listing.json").read_text()
    workspace.run().succeeded()
    assert (workspace.results / "listing.json").read_text() == text


def test_a_folder_of_the_settings_is_a_path_and_a_folder_in_drive_is_a_name() -> None:
    assert names.public_id("a/b", ("c/d", "e"), "f/g.jpg") == "a/b/c_d/e/f_g"
    assert names.asset_folder("a/b", ("/", " ", "v1/2", "")) == "a/b/_/_/v1_2/_"
    assert names.unchanged("a/b", ("c",), "d.jpg") == "a/b/c/d"


def test_the_first_to_hold_a_name_keeps_it_bare_and_the_others_show_their_id() -> None:
    given = public_ids.assign([("first-0001", "Photos/a"), ("second-0002", "Photos/a")], {}, {})
    assert given == {"first-0001": "Photos/a", "second-0002": "Photos/a_ond-0002"}


def test_hostile_names_are_uploaded_each_once_and_harm_nothing(workspace: Workspace, tmp_path: Path) -> None:
    cloud = workspace.cloud
    folder = "../../<b>&v1 'x' $(touch x.png)"
    inner = [
        workspace.add("a.jpg", parent=cloud.drive("folder", name=name), picture={"seed": seed})[0]
        for seed, name in enumerate([folder, "v1", "v1"])
    ]
    ids = workspace.add(*HOSTILE)
    seen = {path for path in tmp_path.rglob("*") if workspace.path not in path.parents}

    done = workspace.run(cores=8).succeeded()
    rows = workspace.audit()
    assert len(rows) == len([*ids, *inner])
    for marker in workspace.markers().values():
        check(marker["drive"]["public_id"])
    by_id = {row["file_id"]: row for row in rows}
    assert [by_id[file_id]["filename"] for file_id in ids] == HOSTILE, "in JSON a name is verbatim"
    assert {by_id[inner[0]]["folder_path"]} == {folder}
    places = [(row["folder_path"], row["filename"], row["file_id"]) for row in rows]
    assert places == sorted(places)

    with (workspace.results / "mapping.csv").open(newline="", encoding="utf-8") as stream:
        table = {row["file_id"]: row for row in csv.DictReader(stream)}
    for file_id, name in zip(ids, HOSTILE, strict=True):
        cells = table[file_id]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells.values()), cells
        assert cells["filename"] == (f"'{name}" if name.startswith(tuple("=+-@")) else name)

    for file_id in (ids[0], ids[HOSTILE.index("=cmd|' /C calc'!A0")], inner[0], inner[1]):
        row = by_id[file_id]
        folder_there = cloud.assets()[row["public_id"]]["asset_folder"]
        assert as_stored(folder_there, "specials") == row["public_id"].rpartition("/")[0]
        with urllib.request.urlopen(row["jpg_url"]) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"

    assert not list(tmp_path.rglob("x.png*")), "no name became a command or a path"
    outside = {path for path in tmp_path.rglob("*") if workspace.path not in path.parents} - seen
    assert all(cloud.store in path.parents for path in outside)
    assert {path.name for path in workspace.path.iterdir()} <= {"results", ".snakemake"}
    assert "\u202e" not in done.said and "\x1b" not in done.said
