"""The demo: a folder of pictures, served as a Drive folder on this machine, goes through the real command.

`python -m tests.demo [FOLDER]`; without a folder it makes one of some 25 pictures. No account is needed: Drive and
Cloudinary are the emulator of tests/emulator. What it stores stays in .demo/, so a second demo has nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.emulator.client import Emulator
from tests.emulator.pictures import demo_folder

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".demo"
NEXT = "Next, your own pictures: README.md has the three steps. The first is: . .venv/bin/activate"


def main() -> int:
    """Run the demo; returns the exit code of snakemake."""
    os.chdir(ROOT)
    if len(sys.argv) > 1:
        photos = Path(sys.argv[1]).expanduser()
        if not photos.is_dir():
            sys.exit(f"there is no folder {photos}")
    else:
        photos = HOME / "Holiday pictures"
        demo_folder(photos)
    with Emulator(photos, HOME / "cloud") as cloud:
        command = ["snakemake", "--cores", "8", "--config", f"folder_id={cloud.folder_id}"]
        emulated = [f"drive_endpoint={cloud.drive_endpoint}", f"token={os.path.relpath(cloud.token)}"]
        print(
            f"{photos} is served as a Drive folder on this machine. Now running:\n\n  {shlex.join(command)}\n",
            flush=True,
        )
        environment = {**os.environ, "CLOUDINARY_URL": cloud.cloudinary_url}
        snakemake = Path(sys.executable).with_name("snakemake")
        code = subprocess.run([snakemake, *command[1:], *emulated], env=environment).returncode
        if sys.stdin.isatty() and sys.stdout.isatty():
            report = Path("results", cloud.folder_id, "report.html").absolute().as_uri()
            print(
                f"\nThe emulated cloud still runs, so that the pictures and links of the report work:\n\n  {report}\n"
            )
            # Ctrl-C and Ctrl-D end it, too.
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                input("Press Enter to stop it. ")
    print(f"\n{NEXT}")
    return code


if __name__ == "__main__":
    sys.exit(main())
