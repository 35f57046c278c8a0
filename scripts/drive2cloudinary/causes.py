"""The causes for which the transfer of an image can fail, and what the user should do about each."""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """One cause: `title` says what is wrong, `advice` what to do; `key` is its name in failures/FILE_ID.json.

    Sorted as the user reads them: first what needs work, last what only needs another run.
    """

    TOO_LARGE = (
        "larger than the Cloudinary account takes",
        "Run again with fit=true, which re-encodes large images as JPEG, or take a larger plan.",
    )
    TOO_MANY_PIXELS = (
        "with more pixels than the Cloudinary account takes",
        "Put a smaller version into Drive, or take a larger plan.",
    )
    CANNOT_FIT = (
        "too large, and re-encoding would harm it",
        "Put a smaller version into Drive, or take a larger plan and set max_bytes.",
    )
    NOT_AN_IMAGE = (
        "not in a form that Cloudinary can read",
        "Open the file in Drive. Replace it if it is damaged; if it is not a picture, name it in the setting exclude.",
    )
    EMPTY = (
        "empty",
        "Restore an older version of the file in Drive, or delete it; then run again.",
    )
    NAME_TAKEN = (
        "another asset in Cloudinary has its name",
        "Rename that asset in Cloudinary, or run again with overwrite=true to replace it.",
    )
    SHARED = (
        "its asset belongs to another image of this migration",
        "Delete listing.json in the results folder and run again: each image then gets a name of its own. If that does "
        "not help, rename that asset in Cloudinary.",
    )
    RENAMED = (
        "Cloudinary stored the image under a different name",
        "Take what changes names out of the upload preset (the setting upload.upload_preset, or the account's default "
        "for signed uploads), and look at what is stored under the other name; then run again.",
    )
    NOT_ALLOWED = (
        "not allowed to be downloaded by this account",
        "Ask the owner to share the file with this account and to let viewers download it. Then run again.",
    )
    GONE = (
        "gone from Drive, or no longer shared",
        "Run again: a deleted file is then no longer listed; otherwise ask its owner to share it.",
    )
    ABUSIVE = (
        "marked by Drive as malware or spam",
        "Look at the file in Drive: ask there for a review if it is harmless, or exclude it with the setting exclude.",
    )
    NO_CONTENT = (
        "Drive has no content to download for it",
        "Export the file in Drive as a picture beside it, and exclude the original with the setting exclude.",
    )
    WRONG_BYTES = (
        "Drive sent other bytes than its checksum says",
        "Run again, because the file may have just changed. If that does not help, set trust_checksum: {FILE_ID: "
        "false}, or {photos: false} for all files from Google Photos.",
    )
    ALTERED = (
        "Cloudinary stored other bytes than were sent",
        "Take the incoming transformation out of the upload preset (the setting upload.upload_preset, or the account's "
        "default for signed uploads); then run again.",
    )
    REFUSED = (
        "refused for another reason",
        "Run again later, because nothing shows that the file is at fault. If the service answers the same again, look "
        "that answer up on its help pages, or report it to its support.",
    )
    DOWNLOAD_QUOTA = (
        "downloaded too often recently",
        "Run again in about 24 hours: until then Drive does not send the file to anybody.",
    )
    TOO_FAST = (
        "too many calls for the service",
        "Run again in an hour. If that does not help, set a lower drive_units_per_minute or uploads_at_once.",
    )
    NO_ANSWER = (
        "no answer came",
        "Check the network connection and run again; if it is slow, set a higher timeout.",
    )
    SERVICE = (
        "the service was out of order",
        "Run again later. google.com/appsstatus and status.cloudinary.com show the state of the services.",
    )
    WORKER_LOST = (
        "its process died",
        "Run again. If the process dies again, memory may be short: use fewer --cores.",
    )
    CHANGED = (
        "changed in Drive since it was listed",
        "Run the same command again: it lists the Drive folder again.",
    )
    NOT_REACHED = (
        "not tried before the run ended",
        "Run the same command again.",
    )

    def __init__(self, title: str, advice: str) -> None:
        self.title = title
        self.advice = advice

    @property
    def key(self) -> str:
        """The cause's name in JSON: too_large, name_taken …"""
        return self.name.lower()
