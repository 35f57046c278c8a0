"""The README's pictures: a run in a terminal, and its report, of the real command on the emulated cloud.

`make pictures` needs Chromium as `chromium`, and writes docs/terminal.png and docs/report.png.
"""

from __future__ import annotations

import html
import tempfile
from pathlib import Path

from tests.browser import chromium
from tests.emulator.client import Emulator
from tests.emulator.pictures import demo_folder, picture
from tests.harness import Workspace
from tests.terminal import Terminal

DOCS = Path(__file__).parent
ALBUMS = ("2024 Lisbon", "2025 Autumn walks", "2026 Alps", "2026 Harbour")
COLORS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff", "magenta": "#d2a8ff"}
COLORS |= {"cyan": "#76e3ea", "default": "#e6edf3", "brightblack": "#8b949e", "white": "#e6edf3"}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = folder / "Holiday pictures"
        demo_folder(photos)
        for number in range(160):
            album = photos / ALBUMS[number % len(ALBUMS)]
            album.mkdir(exist_ok=True)
            (album / f"IMG_{4200 + number}.jpg").write_bytes(picture("jpg", (800, 600), number))
        with Emulator(photos, folder / "cloud", drive_delay=80, upload_delay=250) as cloud:
            workspace = Workspace(folder / "work", cloud)
            workspace.path.mkdir()
            workspace.add(*(f"Group photo {number}.jpg" for number in (1, 2, 3)), capabilities={"canDownload": False})
            screen = run(workspace)
            shoot(terminal_page(screen, cloud.folder_id), DOCS / "terminal.png", 1000)
            shoot((workspace.results / "report.html").as_uri(), DOCS / "report.png", 1400)


def run(workspace: Workspace) -> str:
    """Run the command in a terminal to its end; returns what was on the screen in its midst, as HTML."""
    environment = {**workspace.variables(), "TERM": "xterm-256color"}
    terminal = Terminal(workspace.command(cores=8), workspace.path, environment)
    terminal.wait_for(lambda: any(" left" in line and int(line.split()[0]) > 120 for line in terminal.lines))
    lines = terminal.html(COLORS).split("\n")
    terminal.end()
    # What Snakemake says before it reads the Snakefile names folders of the machine that this runs on.
    return "\n".join(lines[next(number for number, line in enumerate(lines) if "images listed" in line) :])


def terminal_page(screen: str, folder_id: str) -> str:
    """A terminal's window, as the address of a page."""
    prompt = html.escape(f"$ snakemake --cores 8 --config folder_id={folder_id}")
    style = f"margin:0;padding:20px 24px;background:#0d1117;color:{COLORS['default']};font:15px/1.5 monospace"
    page = Path(tempfile.mkdtemp()) / "terminal.html"
    page.write_text(f'<meta charset="utf-8"><body style="{style}"><pre style="margin:0">{prompt}\n{screen}</pre>')
    return page.as_uri()


def shoot(address: str, output: Path, width: int) -> None:
    """Put what a browser shows at this address into a PNG."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 200 if "terminal" in output.name else 1950})
        page.goto(address)
        page.wait_for_timeout(2000)
        page.screenshot(path=output, full_page="terminal" in output.name)


if __name__ == "__main__":
    main()
