"""CSV files as spreadsheets write them: each encoding, and each separator, is read or refused with what to do."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.files import read_table

TEXT = "folder_name;link\r\nCafé 東京;1AbC\r\n"
READ = [
    ("table.csv, line 1", ["folder_name", "link"]),
    ("table.csv, line 2", ["Café 東京", "1AbC"]),
]


def table(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[tuple[str, list[str]]]:
    monkeypatch.chdir(folder)
    Path("table.csv").write_bytes(content)
    return list(read_table(Path("table.csv")))


def test_every_unicode_that_windows_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, separator, ends in product(
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"], ",;\t", ["\r\n", "\n", "\r"]
    ):
        text = TEXT.replace(";", separator).replace("\r\n", ends)
        content = (("\ufeff" if encoding == "utf-16-be" else "") + text).encode(encoding)
        assert table(tmp_path, monkeypatch, content) == READ, (encoding, separator, ends)


def test_the_line_that_names_the_separator_is_no_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;", "sep=;,"]
    for first, encoding in product(lines, ["utf-8", "utf-8-sig", "utf-16"]):
        # In the header, another separator is more frequent.
        text = f"{first}\r\nfolder_name;link;a,b,c,d\r\nCafé;1AbC\r\n"
        assert table(tmp_path, monkeypatch, text.encode(encoding)) == [
            ("table.csv, line 2", ["folder_name", "link", "a,b,c,d"]),
            ("table.csv, line 3", ["Café", "1AbC"]),
        ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (TEXT.replace(" 東京", "").encode("cp1252"), 2),
        ("folder_name;link\nA;1\nŁódź;1AbC\n".encode("cp1250"), 3),
        (TEXT.encode("utf-16-le"), 1),
        (TEXT.encode("utf-16")[:-1], 1),
        (b"PK\x03\x04\x00\x00", 1),
    ],
    ids=["ANSI", "ANSI of Poland", "UTF-16 without a mark", "UTF-16 that is cut", "a workbook"],
)
def test_what_could_be_read_only_by_guessing_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, line: int
) -> None:
    """The bytes of Windows' ANSI are other letters in each country, and a folder's name becomes public."""
    with pytest.raises(MigrationError) as caught:
        table(tmp_path, monkeypatch, content)
    start = f"table.csv, line {line}: " if b"\xff\xfe" not in content else "table.csv, line "
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("this is not UTF-8: save the file as CSV UTF-8, and run again")


def test_a_broken_quote_names_its_line_also_after_the_separator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MigrationError, match="^table.csv, line 4: "):
        table(tmp_path, monkeypatch, b'sep=;\na;b\n1;2\n"3"x;4\n')


def test_an_empty_file_has_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n\r\n", b"sep=;"):
        assert table(tmp_path, monkeypatch, content) == []
