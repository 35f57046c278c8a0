"""Write markers for what the replaced script has moved, so that a run finds it done, under the names that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drive2cloudinary.cloudinary.asset import ASSET_FIELDS
from drive2cloudinary.cloudinary.asset_urls import jpg_url
from drive2cloudinary.cloudinary.delivery import Delivered, Delivery, ask_all
from drive2cloudinary.cloudinary.original_url import OwnCloud
from drive2cloudinary.command import warn
from drive2cloudinary.delivered import caches
from drive2cloudinary.delivered.caches import Caches
from drive2cloudinary.delivered.checking import NO_ANSWER, STANDS, Candidate, Checked, check, winners
from drive2cloudinary.drive.file import DriveFile
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import replacing
from drive2cloudinary.network.services import tell_on_stderr
from drive2cloudinary.plan.earlier import last_listing
from drive2cloudinary.plan.find_images import find_images
from drive2cloudinary.plan.make_listing import make_listing
from drive2cloudinary.plan.pending import pending
from drive2cloudinary.results import failure, layout, marker, shared
from drive2cloudinary.results.listing import Image
from drive2cloudinary.results.marker import Marker
from drive2cloudinary.results.merged import Merge
from drive2cloudinary.results.run import Run, new_id
from drive2cloudinary.settings import Settings
from drive2cloudinary.wording import counted

AT_ONCE = 16
"""URLs that are asked for at once. RateLimit keeps them to Delivery's number a second."""
NAMED = 20
"""The most images that are named on the terminal."""


@dataclass
class Outcome:
    """What came of the cached images: how many are taken over or were before, and which not, as (reason, line)."""

    taken: Counter[str] = field(default_factory=Counter)
    done: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)

    def leave(self, reason: str, path: str, why: str) -> None:
        """Count an image that is not taken over. In: a word for it; the image's path or name in Drive."""
        self.left.append((reason, one_line(f"not taken over: {one_line(path, 200)}: {reason}: {why}", 1000)))


def take_over(
    settings: Settings,
    paths: Sequence[Path],
    thorough: bool,
    replace_altered: bool,
    command: str,
    say: Callable[[str], None],
) -> bool:
    """Take over what caches of the replaced script say of the settings' Drive folder; False if a URL got no answer.

    In: the caches; `thorough`, to compare the bytes instead of what the CDN states; `replace_altered`, to leave images
    pending of which Cloudinary has other bytes than Drive; `command`, which uploads with the same settings; `say`,
    called with the lines for the user. Uploads nothing. Until all URLs are asked, it writes nothing but run.json, which
    holds the results folder. Raises MigrationError, OSError.
    """
    cloud = OwnCloud()
    cached = caches.read(paths, warn)
    if not cached.read:
        raise MigrationError("no cache could be read: give the files data/cache/gdrive_upload_cache_….json")
    Run(settings.results_folder).begin(new_id())
    root, walked = find_images(settings, tell_on_stderr)
    files = {each.file.id: each.file for each in walked.images}
    markers = marker.by_file(settings.results_folder)
    done = {
        file_id
        for file_id in cached.entries.keys() & files.keys() & markers.keys()
        if _is_done(settings.results_folder, files[file_id], markers[file_id], replace_altered)
    }
    outcome = Outcome(done=len(done))
    candidates = list(_candidates(cached, files, done, cloud, outcome))
    checked = _check_all(candidates, Delivery(settings, AT_ONCE), thorough, replace_altered, say)
    claims = {file_id: each.candidate.address.public_id for file_id, each in winners(checked).items()}
    with shared.held(settings.results_folder.parent):
        listed = make_listing(settings, root, walked, last_listing(settings.results_folder), claims)
        images = {image.id: image for image in listed.images}
        for each in checked:
            image = images[each.candidate.file.id]
            if each.verdict == "altered" and replace_altered and image.public_id == claims.get(image.id):
                images[image.id] = replace(image, replaces=_replaced(each))
        replace(listed, images=list(images.values())).write(layout.listing(settings.results_folder))
    for each in checked:
        image = images[each.candidate.file.id]
        if image.public_id != claims.get(image.id):
            outcome.leave("another image has its name", image.path, each.candidate.address.public_id)
        elif each.verdict == "altered" and replace_altered:
            for name in markers.get(image.id, []):
                marker.named(settings.results_folder, name).unlink(missing_ok=True)
            outcome.leave("to be replaced", image.path, "Cloudinary has other bytes than Drive")
        elif each.verdict in STANDS:
            _record(settings.results_folder, image, each)
            outcome.taken[each.verdict] += 1
        else:
            outcome.leave(each.verdict, image.path, f"{each.candidate.entry.url}: {each.why}")
    left, _ = pending(
        images.values(),
        settings.results_folder,
        Merge(settings.results_folder),
        lambda path: warn(marker.not_valid(path)),
        again=False,
        limit=None,
    )
    for line in _summary(outcome, cached, len(cached.entries.keys() - files.keys())):
        say(line)
    say(f"to be moved: {len(left)} of {counted(len(images), 'image')}: {command}")
    return NO_ANSWER not in dict(outcome.left)


def _is_done(results_folder: Path, file: DriveFile, names: Sequence[str], replace_altered: bool) -> bool:
    """Whether an image has been moved or taken over before. In: the file names of its markers.

    If altered ones are to be replaced, those are not done that were taken over with other bytes than Drive now has.
    """
    found = [each for name in names if (each := marker.read(marker.named(results_folder, name)))]
    return any(not (replace_altered and each.status == "existing" and _is_altered(each, file)) for each in found)


def _is_altered(found: Marker, file: DriveFile) -> bool:
    here = found.cloudinary
    return here.get("etag") not in (None, file.md5) or here.get("bytes") not in (None, file.size)


def _candidates(
    cached: Caches, files: Mapping[str, DriveFile], done: Collection[str], cloud: OwnCloud, outcome: Outcome
) -> Iterator[Candidate]:
    """The cached images that are in the Drive folder, are not done yet, and have a URL of the user's cloud."""
    for file_id in sorted(cached.entries.keys() & files.keys() - done):
        file, entry = files[file_id], cached.entries[file_id]
        address = cloud.read(entry.url, entry.public_id)
        if address:
            yield Candidate(file, entry, address)
        else:
            outcome.leave("not an original image's URL of this cloud", file.name, entry.url)


def _check_all(
    candidates: Sequence[Candidate],
    delivery: Delivery,
    thorough: bool,
    replace_altered: bool,
    say: Callable[[str], None],
) -> list[Checked]:
    def ask(candidate: Candidate) -> tuple[Checked, Delivered]:
        # What is replaced has to be known for what it is, by its version or by its md5.
        is_unnamed = replace_altered and candidate.address.version is None
        return check(candidate, delivery, thorough or is_unnamed)

    return list(ask_all(candidates, ask, AT_ONCE, say))


def _replaced(each: Checked) -> dict[str, Any]:
    """The `replaces` of an image whose altered asset the next run is to replace: see `Image.replaces`."""
    file = each.candidate.file
    # There is no such marker. Its name is that of the altered content, so that it can never be another one's.
    older = marker.name_of(file.id, each.md5 or "0" * 32)
    known = {"version": each.candidate.address.version, "etag": each.md5, "marker": older}
    return {key: value for key, value in known.items() if value is not None}


def _record(results_folder: Path, image: Image, each: Checked) -> None:
    """Write the marker of an image that is taken over. Raises OSError."""
    entry, address = each.candidate.entry, each.candidate.address
    known = {"public_id": address.public_id, "version": address.version, "secure_url": entry.url}
    known |= {"format": address.format, "bytes": each.bytes, "etag": each.md5}
    found = Marker(
        drive=replace(image, replaces=None, skipped="").to_dict(),
        cloudinary={name: known.get(name) for name in ASSET_FIELDS},
        jpg_url=jpg_url(entry.url, address.format),
        status="existing",
        uploaded_at=(entry.uploaded_at or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        remark=each.why,
    )
    with replacing(marker.path_of(results_folder, image.id, image.fingerprint)) as stream:
        stream.write(f"{found.to_json()}\n")
    failure.forget(results_folder, image.id)


def _summary(outcome: Outcome, cached: Caches, gone: int) -> Iterator[str]:
    """The lines that say what was taken over, and what not and why. In: how many are not in the Drive folder."""
    yield from (line for _, line in outcome.left[:NAMED])
    if len(outcome.left) > NAMED:
        yield f"and {len(outcome.left) - NAMED} more"
    yield (
        f"{counted(cached.read, 'cache')}: {counted(len(cached.entries), 'image')} moved, {len(cached.failed)} failed; "
        f"{counted(cached.unusable, 'entry', 'entries')} without an ID or a URL; {counted(gone, 'image')} not in the "
        "Drive folder"
    )
    taken = outcome.taken
    yield (
        f"taken over: {taken.total()} ({taken['same bytes']} with Drive's md5, {taken['same size']} with its size,"
        f" {taken['altered']} with other bytes); already in the results: {outcome.done}"
    )
    reasons = Counter(reason for reason, _ in outcome.left)
    kinds = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    yield f"not taken over: {len(outcome.left)}{f' ({kinds})' if kinds else ''}"
    if reasons[NO_ANSWER]:
        yield "run the same command again for those without an answer"
