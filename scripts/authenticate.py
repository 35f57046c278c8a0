"""Ask once for your consent to read your Drive, and save the token as token.json.

Needs the OAuth client of a Google Cloud project, saved as credentials.json. Opens a browser. The token is read-only.
"""

from __future__ import annotations

import io
import sys

from drive2cloudinary import command
from drive2cloudinary.drive.consent import authenticate, has_browser
from drive2cloudinary.programs.options import add_settings, settings_of


def main() -> None:
    parser = command.argument_parser(__doc__)
    add_settings(
        parser,
        {
            "credentials": "the OAuth client's JSON",
            "token": "where the token goes",
            "drive_endpoint": "the root of the Drive API",
        },
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, for a browser on another computer than this one"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the local port that the browser comes back to (default: any free one)"
    )
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Without this, a pipe would hold the address back until the program ends.
        sys.stdout.reconfigure(line_buffering=True)
    try:
        print(authenticate(settings_of(options), not options.no_browser and has_browser(), options.port))
    except KeyboardInterrupt:
        sys.exit("cancelled: there is no new token")


if __name__ == "__main__":
    command.run(main)
