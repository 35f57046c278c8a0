"""What a finished migration of many images leaves on disk, made after the model of a real one of a few."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

RECORDS = Path(".snakemake", "metadata")
"""Where Snakemake keeps a record of each output; a record's name is that of the output in base64."""
FIELDS = ("id", "md5", "name", "folder_path", "modified_time", "public_id")


def finish(folder: Path, model: Path, results: Path) -> None:
    """Leave in a working directory what would lie there if its listing had been migrated.

    In: the directory, with a listing; another one, where some images of the same Drive folder were really migrated;
    where the results lie in both. What the model has for its first image (a marker, a record of Snakemake's, whatever
    else) is made for every image of the listing, with that one's own values in the place of the first one's.
    """
    first = _listed(model / results)[0]
    files = [path.relative_to(model) for path in model.rglob("*") if path.is_file()]
    own = [path for path in files if first["id"] in _meaning(path)]
    templates = [(_Template(_meaning(path), first), _Template((model / path).read_text(), first)) for path in own]
    for path in own:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    for image in _listed(folder / results):
        values = _values(image)
        for path, (name, text) in zip(own, templates, strict=True):
            (folder / _path(path.parent, name.filled(values))).write_text(text.filled(values))
    for path in files:
        if path.parent == RECORDS and "markers/" not in _meaning(path):
            (folder / path).write_bytes((model / path).read_bytes())


class _Template:
    """A text in which the values of one image can be replaced by those of another."""

    def __init__(self, text: str, image: dict[str, Any]) -> None:
        places = {value: place for place, value in enumerate(_values(image))}
        longest_first = sorted(map(re.escape, places), key=len, reverse=True)
        parts = re.split(f"({'|'.join(longest_first)})", text)
        self._between, self._places = parts[::2], [places[value] for value in parts[1::2]]

    def filled(self, values: list[str]) -> str:
        """The text with these values. In: what `_values` says of an image."""
        put = [values[place] for place in self._places]
        return "".join(part for pair in zip(self._between, [*put, ""], strict=True) for part in pair)


def _values(image: dict[str, Any]) -> list[str]:
    return [*(str(image[field]) for field in FIELDS), quote(image["public_id"])]


def _listed(results: Path) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = json.loads((results / "listing.json").read_bytes())["images"]
    return images


def _meaning(path: Path) -> str:
    """A relative path, or, of a record of Snakemake's, that of the output it is about."""
    return urlsafe_b64decode(path.name).decode() if path.parent == RECORDS else path.as_posix()


def _path(folder: Path, meaning: str) -> Path:
    return folder / urlsafe_b64encode(meaning.encode()).decode() if folder == RECORDS else Path(meaning)
