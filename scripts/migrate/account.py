"""Cloudinary's credentials in the environment."""

from __future__ import annotations

import os
import re

from dotenv import find_dotenv, load_dotenv

from .errors import StopRun

SET_CREDENTIALS = "set CLOUDINARY_URL=cloudinary://KEY:SECRET@CLOUD in the environment or in .env"


def check_credentials() -> None:
    """Read .env, and raise StopRun with the line that says what to do if the credentials are not complete."""
    load_dotenv(find_dotenv(usecwd=True))
    if os.environ.get("CLOUDINARY_CLOUD_NAME"):
        if not (os.environ.get("CLOUDINARY_API_KEY") and os.environ.get("CLOUDINARY_API_SECRET")):
            raise StopRun(f"CLOUDINARY_API_KEY or CLOUDINARY_API_SECRET is missing: {SET_CREDENTIALS}")
        return
    url = os.environ.get("CLOUDINARY_URL", "")
    if not url:
        raise StopRun(f"there are no Cloudinary credentials: {SET_CREDENTIALS}")
    if not re.fullmatch(r"cloudinary://[^:/@\s<>]+:[^:/@\s<>]+@[^/@\s<>?]+([/?]\S*)?", url):
        raise StopRun(f"CLOUDINARY_URL is not complete: {SET_CREDENTIALS}")
