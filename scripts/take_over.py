"""Take over what googledrive_tocloudinary_mp.py has moved, so that its images keep their URLs and are not moved again.

For each cached image that is in the Drive folder, its URL is requested, and what Cloudinary delivers is compared with
Drive. Nothing is uploaded. Then run the snakemake command that it prints: it moves the other images.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drive2cloudinary import command
from drive2cloudinary.delivered.taking import take_over
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.plan.results_folders import placed
from drive2cloudinary.programs.options import add_settings, settings_of, upload_command


def tell(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = command.argument_parser(__doc__)
    add_settings(
        parser,
        {
            "folder_id": "the Drive folder's ID or its URL",
            "folder_name": "the Cloudinary folder of the images that are still to be moved",
            "recursive": "also the images in all subfolders",
            "results": "the folder for all output",
            "token": "the token of scripts/authenticate.py, or a service account's key",
            "impersonate": "the user whose Drive a service account reads",
            "drive_endpoint": "the root of the Drive API",
        },
    )
    parser.add_argument("--thorough", action="store_true", help="download the images from Cloudinary to compare them")
    parser.add_argument(
        "--replace-altered",
        action="store_true",
        help="have images moved again of which Cloudinary has other bytes than Drive; their URLs stay",
    )
    parser.add_argument(
        "caches", metavar="CACHE.json", type=Path, nargs="+", help="data/cache/gdrive_upload_cache_….json"
    )
    options = parser.parse_args()
    settings = settings_of(options)
    if not settings.folder_id:
        raise MigrationError("folder_id is missing: take_over.py --folder-id ID_OR_URL_OF_A_DRIVE_FOLDER CACHE.json …")
    [settings] = placed([settings])
    next_step = upload_command(options)
    sys.exit(not take_over(settings, options.caches, options.thorough, options.replace_altered, next_step, tell))


if __name__ == "__main__":
    command.run(main)
