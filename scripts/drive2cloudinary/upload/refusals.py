"""Stop a run in which image after image gets the same refusal: then it is not about the images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from drive2cloudinary.causes import Cause
from drive2cloudinary.cloudinary import names
from drive2cloudinary.cloudinary.asset import preset_in_words
from drive2cloudinary.errors import ImageError, one_line
from drive2cloudinary.results.listing import Image
from drive2cloudinary.results.run import Run
from drive2cloudinary.settings import Settings

IN_A_ROW = 3
"""So many images with the same refusal, and none stored in between, stop the run."""
_ALIKE = (Cause.RENAMED, Cause.ALTERED)
"""Causes whose message is our own, so that they are the same refusal whatever it says."""
_VARYING = re.compile(
    r"""
    https?://\S+                     # an address
    | "[^"]*" | '[^']*' | `[^`]*`    # what is quoted
    | request[\s_-]?id\W*\S+         # a number of this call
    | \S*/\S*                        # a path
    | \S*\d\S*                       # a number, a date, an ID
    | \S{20,}                        # an ID without digits
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Refusals:
    """Counts the refusals of a run that may be about every image, of all its processes, on all nodes."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._preset = run, preset_in_words(settings.upload.upload_preset)

    @contextmanager
    def counted(self, image: Image) -> Iterator[None]:
        """In this context an image is transferred. Stops the run if that ends with one refusal too many.

        The image that was refused fails; those that were not tried are pending.
        """
        try:
            yield
        except ImageError as error:
            if (kind := kind_of(error, image)) and self._run.refused(kind, image.id) >= IN_A_ROW:
                self._run.stop_because(self._line(error))
            raise
        self._run.accepted()

    def _line(self, error: ImageError) -> str:
        if error.cause is Cause.RENAMED:
            what = f"Cloudinary stores images under other names than were asked for: take that out of {self._preset}"
        elif error.cause is Cause.ALTERED:
            what = f"Cloudinary stores other bytes than were sent: take what changes images out of {self._preset}"
        else:
            return one_line(
                f"{error} ({IN_A_ROW} images in a row were refused like this, and none was stored): correct what it "
                f"names (the account, {self._preset}, the setting upload), or exclude these images if it is about them "
                "alone; then run the same command again"
            )
        return one_line(f"{what}; then run the same command again ({error})")


def kind_of(error: ImageError, image: Image) -> str:
    """The same text for the same refusal of any image; "" if the error is about this image.

    In: the image, because its own names are left out of the message, as are numbers, IDs, and what is quoted.
    """
    if error.cause in _ALIKE:
        return error.cause.key
    if error.cause is not Cause.REFUSED:
        return ""
    message = str(error).casefold()
    own = {image.public_id, image.name, names.stem(image.name, image.extension), image.folder_path, image.id}
    for name in sorted(filter(None, own), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", " ", message)
    return " ".join([error.cause.key, *re.findall(r"[^\W\d_]+", _VARYING.sub(" ", message))])
