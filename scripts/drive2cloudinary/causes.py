"""What can keep an image from being moved, and what its owner should do about each of these causes."""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """One cause: `title` says what is the matter, `advice` what to do; `key` stands for it in failures/FILE_ID.json.

    They stand in the order in which people should read of them: what needs a hand first, what only needs another run
    last.
    """

    TOO_LARGE = (
        "larger than the Cloudinary account takes",
        "Run again with fit=true, which re-encodes them as JPEG until they fit, or take a larger plan.",
    )
    CANNOT_FIT = (
        "too large, and not to be re-encoded without harm",
        "Make them smaller yourself and put them back into Drive, or take a larger plan and set max_bytes.",
    )
    NOT_AN_IMAGE = (
        "not an image that Cloudinary can read",
        "Open the file in Drive: replace a damaged one, and leave out with exclude what is no picture.",
    )
    EMPTY = (
        "empty files",
        "Restore an older version of the file in Drive, or delete it; then run again.",
    )
    NAME_TAKEN = (
        "another asset in Cloudinary has their name",
        "Rename that asset in Cloudinary, or run again with overwrite=true to replace it.",
    )
    SHARED = (
        "another image of this migration has their asset",
        "Delete listing.json in the results folder and run again: they then get names of their own. If that does not "
        "help, rename that asset in Cloudinary.",
    )
    RENAMED = (
        "Cloudinary answered with another name than was asked for",
        "Take what changes names out of the account's default preset for signed uploads, and look at what is stored "
        "under the other name; then run again.",
    )
    NOT_ALLOWED = (
        "Drive does not let this account download them",
        "Ask the owner to share the file with this account and to let viewers download it; then run again.",
    )
    GONE = (
        "gone from Drive, or no longer shared",
        "Run again: a deleted file is then left out of the listing; otherwise ask its owner to share it.",
    )
    ABUSIVE = (
        "held by Drive to be malware or spam",
        "Look at the file in Drive: ask there for a review if it is harmless, or leave it out with exclude.",
    )
    NO_CONTENT = (
        "without bytes that Drive could hand out",
        "Export the file in Drive as a picture beside it, and leave the original out with exclude.",
    )
    WRONG_BYTES = (
        "Drive sends other bytes than it promises",
        "Run again, in case the file has just changed; if that does not help, set trust_checksum: {FILE_ID: false}, or "
        "{photos: false} for all files from Google Photos.",
    )
    ALTERED = (
        "Cloudinary stored other bytes than were sent",
        "Take the incoming transformation out of the account's default preset for signed uploads; then run again.",
    )
    REFUSED = (
        "refused for another reason",
        "Read what the service answered; run again once that is settled, or leave the file out with exclude.",
    )
    DOWNLOAD_QUOTA = (
        "downloaded too often of late",
        "Run again in about 24 hours: until then Drive does not hand the file out to anybody.",
    )
    TOO_FAST = (
        "the service wanted fewer calls",
        "Run again later, with a lower drive_units_per_minute or uploads_at_once.",
    )
    NO_ANSWER = (
        "no answer came",
        "Check the connection to the network and run again; with a slow one, set a higher timeout.",
    )
    SERVICE = (
        "the service was out of order",
        "Run again later; google.com/appsstatus and status.cloudinary.com say how the services are.",
    )
    WORKER_LOST = (
        "the program that moved it died",
        "Run again; if it dies again, memory may be short: use fewer --cores.",
    )
    CHANGED = (
        "another version in Drive than the one that was listed",
        "Run the same command again: it lists the folder anew.",
    )
    NOT_REACHED = (
        "the run ended before their turn",
        "Run the same command again.",
    )

    def __init__(self, title: str, advice: str) -> None:
        self.title = title
        self.advice = advice

    @property
    def key(self) -> str:
        """Its name in JSON: too_large, name_taken …"""
        return self.name.lower()
