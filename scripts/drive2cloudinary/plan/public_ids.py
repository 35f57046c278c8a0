"""Assign a public_id to each image of a listing: unique, and the same in every run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from drive2cloudinary.cloudinary.names import asset_key, with_suffix
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.plan.assets_file import Line


def assign(wanted: Iterable[tuple[str, str]], held: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """One public_id for each image; no new one has the `asset_key` of another image's.

    In: `wanted`, (file ID, the public_id without collisions) of all images, in order of priority; `held`, file ID → the
    public_id from earlier runs, also of files that are not listed now; `others`, as from `held_by_others`. Out: file ID
    → public_id. An image keeps its held public_id, even if an earlier version assigned two with the same key. On a
    collision, a new image gets a suffix made of its file ID.
    """
    owners = {**others, **{asset_key(name): file_id for file_id, name in held.items()}}
    given: dict[str, str] = {}
    for file_id, name in wanted:
        if file_id in held:
            given[file_id] = held[file_id]
            continue
        for choice in _choices(name, file_id):
            key = asset_key(choice)
            if owners.setdefault(key, file_id) == file_id:
                given[file_id] = choice
                break
    return given


def _choices(name: str, file_id: str) -> Iterator[str]:
    """The possible public_ids of an image, best first, without end."""
    yield name
    yield with_suffix(name, file_id[-8:])
    yield with_suffix(name, file_id)
    for number in itertools.count(2):
        yield with_suffix(name, f"{file_id}_{number}")


def choose(
    lines: Mapping[str, Line], held: dict[str, str], fixed: Callable[[str], bool], others: Mapping[str, str]
) -> list[Line]:
    """Give images the public_ids that the file of the setting `assets` chooses, by changing `held`.

    In: file ID → its line; file ID → the public_id it holds; whether an image has to keep what it holds; `others`, as
    from `held_by_others`. Out: the lines that would change a public_id that has to stay.
    Raises MigrationError if another image holds one.
    """
    wanted = {file_id: line for file_id, line in lines.items() if line.public_id}
    kept = [file_id for file_id in wanted if file_id in held and fixed(file_id)]
    stay = {asset_key(name): file_id for file_id, name in held.items() if file_id not in wanted or file_id in kept}
    owners = {**others, **stay}
    for file_id, line in wanted.items():
        if file_id in kept:
            continue
        owner = owners.get(asset_key(line.public_id), file_id)
        if owner != file_id:
            raise MigrationError(
                f"{line.where}: public_id {line.public_id} is that of another image, Drive file {owner}"
            )
        held[file_id] = line.public_id
    return [wanted[file_id] for file_id in kept if held[file_id] != wanted[file_id].public_id]


def with_claims(
    held: Mapping[str, str], uploaded: Collection[str], claims: Mapping[str, str], others: Mapping[str, str]
) -> dict[str, str]:
    """`held` with the names that images claim. Names under which nothing was uploaded yet give way to them.

    In: `uploaded`, the file IDs that keep their held name in any case; `claims`, file ID → public_id, each name once;
    `others`, as from `held_by_others`. A name that another image has is not given.
    """
    kept = {file_id: name for file_id, name in held.items() if file_id in uploaded}
    owners = {**others, **{asset_key(name): file_id for file_id, name in kept.items()}}
    return {file_id: name for file_id, name in claims.items() if owners.get(asset_key(name), file_id) == file_id} | kept
