"""What people mean by a pattern of exclude."""

from __future__ import annotations

import pytest

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.plan.filters import excludes_folder as excludes
from drive2cloudinary.plan.filters import glob_of, with_literal_brackets, with_mime_types
from drive2cloudinary.settings import Settings

WHOLE = ["drafts", "drafts/", "/drafts", "/drafts/", "./drafts", "drafts/*", "/drafts/*", "./drafts/*", "drafts/**"]
WHOLE += ["drafts//*", "drafts/**/*", "dra*", "dr?fts/*", "**/drafts/*", "**/drafts", "*", "/*", "Photos/drafts/*"]
WHOLE += ["Photos/drafts", "/Photos/drafts/*", "./Photos/drafts/"]


def fits(pattern: str, path: str, root: str = "Photos", names: tuple[str, ...] = ()) -> bool:
    """Whether a pattern excludes a file. In: its path; the names of all files and folders, for brackets."""
    *folder, name = path.split("/")
    glob = with_literal_brackets(glob_of(pattern, root), names)
    return glob.fits_folder(folder) or glob.fits_name(folder, name)


def excludes_folder(pattern: str, folders: tuple[str, ...], root: str = "") -> bool:
    return excludes(Settings(exclude=(pattern,)), folders, root)


@pytest.mark.parametrize("pattern", WHOLE)
def test_a_folder_is_excluded_with_all_that_is_in_it_however_it_is_written(pattern: str) -> None:
    for path in ("drafts/a.jpg", "drafts/2024/old/a.jpg"):
        assert fits(pattern, path)
    for folder in (("drafts",), ("drafts", "2024", "old")):
        assert excludes_folder(pattern, folder, "Photos")
    if pattern not in ("*", "/*"):
        for path in ("a.jpg", "final/a.jpg", "final drafts/a.jpg"):
            assert not fits(pattern, path)
        assert not excludes_folder(pattern, (), "Photos") and not excludes_folder(pattern, ("final", "x"), "Photos")


MEANT = {
    # Without a slash, at any depth.
    "drafts/": (["2024/drafts/a.jpg"], ["drafts"]),
    "a.jpg": (["2024/drafts/a.jpg"], ["A.jpg"]),
    "drafts": (["drafts/a.jpg"], ["drafts.jpg"]),
    # With one, from the Drive folder on.
    "/drafts": (["drafts/a.jpg"], ["2024/drafts/a.jpg"]),
    "2024/drafts": (["2024/drafts/x/a.jpg"], ["1/2024/drafts/a.jpg"]),
    "*/drafts/*": (["2024/drafts/a.jpg"], ["drafts/a.jpg"]),
    "**/drafts/*": (["1/2/drafts/a.jpg"], []),
    "2024/**/a.jpg": (["2024/1/2/a.jpg", "2024/a.jpg"], ["2024/1/ba.jpg"]),
    "draft*": (["drafts/1/a.jpg"], []),
    "d*a.jpg": (["drafts/1/a.jpg"], []),
    "IMG_[12]?.jpg": (["x/IMG_13.jpg"], []),
    "IMG_[!12]*": ([], ["IMG_1.jpg"]),
    "e\u0301.jpg": (["é.jpg"], []),
    # Capitals count, but for extensions.
    "*.gif": (["1/X.GIF"], []),
    "drafts/*.JP*G": (["drafts/1/a.jpeg"], []),
    "Drafts/*": ([], ["drafts/a.jpg"]),
    # The Drive folder itself may begin the path.
    "Photos/*.gif": (["1/a.gif"], []),
    "Photos/*": (["a.jpg"], []),
    "Photos/": ([], ["1/a.gif"]),
    "/": ([], ["a.jpg"]),
    "": ([], ["a.jpg"]),
}


@pytest.mark.parametrize("pattern", MEANT)
def test_a_pattern_means_what_people_mean(pattern: str) -> None:
    excluded, kept = MEANT[pattern]
    assert all(fits(pattern, path) for path in excluded) and not any(fits(pattern, path) for path in kept)


def test_a_name_with_brackets_that_is_there_is_meant() -> None:
    names = ("[2024] Trip", "2 Trip", "a [1].jpg")
    assert fits("[2024] Trip/*", "[2024] Trip/a.jpg", names=names)
    assert not fits("[2024] Trip/*", "2 Trip/a.jpg", names=names)
    assert fits("[2024] Trip/*", "2 Trip/a.jpg", names=("2 Trip",))
    assert fits("[2024] Trip/IMG_[12].jpg", "[2024] Trip/IMG_1.jpg", names=names)
    assert fits("a [1].*", "x/a [1].jpg", names=names)
    assert excludes_folder("[2024] Trip", ("[2024] Trip", "x")) and excludes_folder("[2024] Trip", ("2 Trip",))
    assert fits("a]*", "a]b.jpg", names=("a]b.jpg",))


def test_a_folder_of_the_name_of_the_drive_folder_is_meant_before_that() -> None:
    assert not excludes_folder("Photos/drafts/*", ("drafts",), "")
    assert excludes_folder("Photos/drafts/*", ("Photos", "drafts"), "")


@pytest.mark.parametrize("pattern", ["drafts/*.gif", "drafts/a*", "*.gif", "drafts/2024", "drafts/2024/*", "[!a]*/x"])
def test_a_pattern_for_a_part_of_a_folder_does_not_exclude_it_as_a_whole(pattern: str) -> None:
    assert not excludes_folder(pattern, ("drafts",), "Photos")


def test_a_name_with_a_slash_is_one_name() -> None:
    assert excludes_folder("2023/24", ("2023/24",)) and excludes_folder("2023/24/*", ("2023/24", "x"))
    assert excludes_folder("2*4", ("x", "2023/24"))


def test_a_type_to_include_may_be_an_extension_or_another_name_of_it() -> None:
    meant = {"image/jpg": "image/jpeg", "jpg": "image/jpeg", ".JPEG": "image/jpeg", "*.tif": "image/tiff"}
    meant |= {"pdf": "application/pdf", "image/*": "image/*", "image/x-*": "image/x-*", "Image/X-New": "image/x-new"}
    assert {typed: with_mime_types(Settings(include=(typed,))).include[0] for typed in meant} == meant


@pytest.mark.parametrize("typed", ["jgp", "*.mp4", "image", "{a: b}", "holiday.jpg"])
def test_what_is_no_type_and_no_extension_is_refused(typed: str) -> None:
    with pytest.raises(MigrationError) as caught:
        with_mime_types(Settings(include=(typed,)))
    assert str(caught.value) == (
        f"wrong setting include: {typed!r} is no MIME type such as image/jpeg, and no extension of a picture"
    )
