"""The book: the expected state of the Drive, for the audit, and the random changes to it."""

from __future__ import annotations

import base64
import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.emulator.client import Emulator
from tests.emulator.pictures import noise_jpeg, picture

HOSTILE = (
    "$(touch pwned).jpg",
    "'; touch pwned #.png",
    "../../../etc/passwd.jpg",
    '=HYPERLINK("http://127.0.0.1").jpg',
    "<script>alert(1)</script>.gif",
    "two\nlines.jpg",
    "käse & größe 🧀.webp",
    "%2e%2e%2f?#.jpg",
    " .jpg",
    "x" * 300 + ".jpg",
)


@dataclass
class File:
    """What one file in Drive should be: its bytes' MD5, how often these changed, the names it was listed under."""

    name: str
    md5: str
    changes: int = 0
    trashed: bool = False
    names: set[str] = field(default_factory=set)


class Book:
    """The expected state of the Drive, and the random changes to it."""

    def __init__(self, cloud: Emulator, dice: random.Random) -> None:
        self._cloud = cloud
        self._dice = dice
        self._number = 0
        self.files: dict[str, File] = {}
        self.folders = [""]
        self.bytes = 0
        self.done: Counter[str] = Counter()

    @property
    def living(self) -> dict[str, File]:
        """All files that are not in the trash, by ID."""
        return {file_id: file for file_id, file in self.files.items() if not file.trashed}

    def fill(self, count: int) -> None:
        """Make the folders, and `count` images in them: several of one name, some of the same bytes, some hostile."""
        for name in ("Summer", "Summer", "Summer/Winter", "2024: A & B", "=1+1"):
            self.folders.append(self._cloud.drive("folder", name=name, parent=self._dice.choice(self.folders)))
        names = [*HOSTILE, *(["photo.jpg"] * 3), "photo.png", "photo.webp", "Photo.jpg"]
        names += [f"picture {number}.{self._extension()}" for number in range(count)]
        contents = [self._content(name) for name in names[:count]]
        contents[-1] = contents[0]
        places = [self._dice.choice(self.folders) for _ in contents]
        # In one folder, names meet.
        places[len(HOSTILE) : len(HOSTILE) + 6] = [places[0]] * 6
        self._put([(*each,) for each in zip(names[:count], places, contents, strict=True)])

    def change(self, count: int) -> None:
        """Make `count` random changes."""
        for _ in range(count):
            kinds = ["replace"] * 4 + ["rename"] * 2 + ["move"] * 2 + ["add"] * 2 + ["trash"]
            kind = self._dice.choice(kinds)
            self.done[kind] += 1
            file_id = self._dice.choice(sorted(self.living))
            file = self.files[file_id]
            if kind == "replace":
                data = self._content(file.name)
                self._cloud.drive("replace", id=file_id, content_base64=base64.b64encode(data).decode())
                file.md5, file.changes = hashlib.md5(data).hexdigest(), file.changes + 1
            elif kind == "rename":
                file.name = self._new_name()
                self._cloud.drive("rename", id=file_id, name=file.name)
            elif kind == "move":
                # Only the folders that are made first: none of them lies in another one that could be moved.
                self._cloud.drive("move", id=file_id, parent=self._dice.choice(self.folders[1:]))
            elif kind == "add":
                name = self._new_name()
                self._put([(name, self._dice.choice(self.folders), self._content(name))])
            elif len(self.living) > 10:
                self._cloud.drive("trash", id=file_id)
                file.trashed = True

    def _put(self, made: Iterable[tuple[str, str, bytes]]) -> None:
        made = list(made)
        ids = self._cloud.drive_all(
            [
                {"op": "add", "name": name, "parent": place, "content_base64": base64.b64encode(data).decode()}
                for name, place, data in made
            ]
        )
        for file_id, (name, _, data) in zip(ids, made, strict=True):
            self.files[file_id] = File(name, hashlib.md5(data).hexdigest())

    def _new_name(self) -> str:
        """A name that no file has had: an asset that a trashed one left behind may hold any other."""
        self._number += 1
        return f"new {self._number}.{self._extension()}"

    def _extension(self) -> str:
        return self._dice.choice(["jpg", "jpg", "png", "webp", "gif"])

    def _content(self, name: str) -> bytes:
        """A picture unlike all others: a JPEG of random bytes of any size, or a small painted one of another kind."""
        extension, seed = name.rpartition(".")[2], self._dice.randrange(1 << 30)
        if extension == "jpg":
            data = noise_jpeg(self._dice.choice([700, 5_000, 40_000, 300_000]), seed)
        else:
            data = picture(extension, (self._dice.randint(16, 80), self._dice.randint(16, 60)), seed)
        self.bytes += len(data)
        return data
