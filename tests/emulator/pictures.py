"""Makes pictures: a folder of pleasant ones for the demo, and any number of plain ones of exact size for benchmarks.

`python -m tests.emulator.pictures DIR` makes the demo's.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageOps

Color = tuple[int, int, int]
PALETTES: tuple[tuple[Color, ...], ...] = (
    ((19, 41, 75), (232, 119, 93), (250, 209, 134), (61, 82, 122), (24, 38, 60)),
    ((120, 190, 222), (226, 243, 246), (255, 247, 214), (70, 130, 140), (31, 74, 87)),
    ((64, 30, 92), (214, 92, 148), (255, 196, 161), (98, 52, 120), (40, 20, 64)),
    ((178, 216, 184), (248, 245, 214), (255, 180, 90), (88, 140, 92), (38, 82, 64)),
    ((244, 196, 180), (250, 236, 220), (240, 110, 90), (150, 110, 120), (84, 60, 84)),
    ((14, 54, 66), (60, 160, 150), (220, 240, 200), (20, 90, 100), (8, 36, 48)),
)
FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF"}
ORIENTATION = 0x0112
# How the stored pixels are turned for each EXIF orientation, so that a viewer that obeys it shows the picture upright.
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def _sky(size: tuple[int, int], top: Color, bottom: Color) -> Image.Image:
    gradient = Image.linear_gradient("L").resize(size)
    return ImageOps.colorize(gradient, top, bottom)


def _ridge(size: tuple[int, int], level: float, rise: float, dice: random.Random) -> list[tuple[float, float]]:
    """The outline of a hill or a wave across the picture, closed along the bottom."""
    width, height = size
    waves = [(dice.uniform(0.6, 3.2), dice.uniform(0, math.tau), dice.uniform(0.3, 1.0)) for _ in range(3)]
    line = []
    for step in range(65):
        x = step / 64
        lift = sum(depth * math.sin(math.tau * count * x + phase) for count, phase, depth in waves) / 3
        line.append((x * width, (level - rise * lift) * height))
    return [*line, (width, height), (0, height)]


def _landscape(size: tuple[int, int], colors: tuple[Color, ...], dice: random.Random) -> Image.Image:
    """A sun with a glow over three ranges of hills."""
    image = _sky(size, colors[0], colors[1])
    width, height = size
    radius = min(size) * dice.uniform(0.07, 0.14)
    x, y = width * dice.uniform(0.25, 0.75), height * dice.uniform(0.25, 0.45)
    glow = Image.new("L", (width // 8, height // 8))
    spot = [value / 8 for value in (x - 3 * radius, y - 3 * radius, x + 3 * radius, y + 3 * radius)]
    ImageDraw.Draw(glow).ellipse(spot, fill=120)
    glow = glow.filter(ImageFilter.GaussianBlur(max(radius / 8, 1))).resize(size)
    image.paste(colors[2], mask=glow)
    draw = ImageDraw.Draw(image)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colors[2])
    for index, level in enumerate((0.6, 0.72, 0.86)):
        mixed = _mix(colors[1], colors[4], 0.45 + 0.27 * index)
        draw.polygon(_ridge(size, level, 0.12 - 0.025 * index, dice), fill=mixed)
    return image


def _bokeh(size: tuple[int, int], colors: tuple[Color, ...], dice: random.Random) -> Image.Image:
    """Lights out of focus."""
    image = _sky(size, colors[4], colors[3])
    for _ in range(26):
        radius = min(size) * dice.uniform(0.03, 0.15)
        x, y = dice.uniform(0, size[0]), dice.uniform(0, size[1])
        box = (int(x - radius), int(y - radius), int(x + radius), int(y + radius))
        light = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(light).ellipse((0, 0, light.width - 1, light.height - 1), fill=dice.randint(50, 150))
        image.paste(dice.choice(colors[:3]), box, light)
    return image


SCENES = (_landscape, _bokeh)


def _mix(first: Color, second: Color, share: float) -> Color:
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def paint(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture of this size; another seed, another picture. It is drawn at double size, for smooth edges."""
    dice = random.Random(seed)
    scene = SCENES[seed % len(SCENES)]
    palette = PALETTES[(seed + seed // len(SCENES)) % len(PALETTES)]
    return scene((size[0] * 2, size[1] * 2), palette, dice).reduce(2)


def picture(extension: str, size: tuple[int, int], seed: int, *, orientation: int = 1, clear: bool = False) -> bytes:
    """A picture as a file of this kind (jpg, png, webp, gif …), byte for byte the same on each call.

    `orientation` is EXIF's, for JPEG; `clear` makes all but a disc transparent, for PNG and WebP.
    """
    image = paint(size, seed)
    options: dict[str, Any] = {}
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif.tobytes()
        image = image.transpose(TURNS[orientation])
    if clear:
        disc = Image.new("L", size)
        ImageDraw.Draw(disc).ellipse((4, 4, size[0] - 4, size[1] - 4), fill=255)
        image.putalpha(disc)
    buffer = io.BytesIO()
    image.save(buffer, FORMATS.get(extension, extension.upper()), **options)
    return buffer.getvalue()


def flat_jpeg(width: int, height: int) -> bytes:
    """A grey JPEG of any size in pixels, quickly made."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), 128).save(buffer, "JPEG")
    return buffer.getvalue()


def _animation(size: tuple[int, int], seed: int) -> bytes:
    """A GIF of eight frames in which the picture drifts to the side."""
    still = paint(size, seed)
    frames = []
    for step in range(8):
        shift = size[0] * step // 8
        frame = Image.new("RGB", size)
        frame.paste(still, (-shift, 0))
        frame.paste(ImageOps.mirror(still), (size[0] - shift, 0))
        frames.append(frame.quantize(48))
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=0)
    return buffer.getvalue()


# Local path, size, and what is special about it: `name` is its name in Drive, which holds what a file system won't. The
# seeds are the positions in this table.
DEMO: tuple[tuple[str, tuple[int, int], dict[str, Any]], ...] = (
    ("Iceland 2024/Ring road.jpg", (1200, 800), {}),
    ("Iceland 2024/Midnight sun.jpg", (1100, 700), {}),
    ("Iceland 2024/Black beach.webp", (900, 600), {}),
    ("Iceland 2024/Northern lights.jpg", (800, 1200), {"orientation": 6}),
    ("Iceland 2024/Glacier/Blue ice.jpg", (1000, 750), {}),
    ("Iceland 2024/Glacier/Crevasse.png", (640, 800), {}),
    ("Iceland 2024/Glacier/Tongue of ice.jpg", (900, 675), {"orientation": 3}),
    ("Iceland 2024/Glacier/Icebergs at Jökulsárlón.jpg", (1200, 640), {}),
    ("Family/birthday.jpg", (800, 600), {}),
    ("Family/birthday again.jpg", (600, 800), {"orientation": 8, "name": "birthday.jpg"}),
    ("Family/Garden/Tulips.png", (500, 500), {"clear": True}),
    ("Family/Garden/Apple tree.webp", (700, 525), {}),
    ("Family/Garden/Swing.gif", (320, 240), {"animated": True}),
    ("Family/Logo.png", (400, 400), {"clear": True}),
    ("Odd names/a.jpg", (480, 360), {}),
    ("Odd names/a.png", (480, 360), {}),
    ("Odd names/tokyo.jpg", (600, 450), {"name": "東京.jpg"}),
    ("Odd names/japan.jpg", (600, 450), {"name": "日本.jpg"}),
    ("Odd names/climbing out.png", (300, 300), {"name": "../../x.png"}),
    ("Odd names/quotes and a newline.jpg", (400, 300), {"name": 'it\'s "quoted"\nand goes on.jpg'}),
    ("Odd names/emoji.jpg", (512, 384), {"name": "🌋 eruption 🔥.jpg"}),
    ("Odd names/formula.png", (300, 400), {"name": "=cmd|' /C calc'!A0.png"}),
    ("Odd names/no extension.jpg", (640, 480), {"name": "no extension"}),
    ("Odd names/very long.jpg", (360, 480), {"name": "long " * 50 + "x.jpg"}),
    ("Odd names/still.gif", (300, 300), {}),
)
MANIFEST = {
    "entries": {path: {"name": special["name"]} for path, _, special in DEMO if "name" in special},
    "extra": [
        {"type": "document", "name": "Packing list", "parent": "Iceland 2024"},
        {"type": "shortcut", "name": "Favourite", "parent": "Family", "target": "Iceland 2024/Glacier/Blue ice.jpg"},
        {"type": "shortcut", "name": "Back to Iceland", "parent": "Iceland 2024/Glacier", "target": "Iceland 2024"},
    ],
}
NOTES = "Not a picture, and so not to be moved.\n"


def demo_folder(path: Path) -> int:
    """Makes the demo's photos under `path`, those that aren't there yet; answers how many it made."""
    made = 0
    for seed, (name, size, special) in enumerate(DEMO):
        file = path / name
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        options = {key: value for key, value in special.items() if key in ("orientation", "clear")}
        moves = "animated" in special
        _write(file, _animation(size, seed) if moves else picture(file.suffix[1:], size, seed, **options))
        made += 1
    _write(path / "Family/notes.txt", NOTES.encode())
    _write(path / ".drive.json", (json.dumps(MANIFEST, ensure_ascii=False, indent=1) + "\n").encode())
    return made


def _write(file: Path, data: bytes) -> None:
    """Writes a file whole, unless it holds these bytes already: its mtime is the photo's modifiedTime."""
    if file.exists() and file.read_bytes() == data:
        return
    temporary = file.with_name(f".{file.name[:40]}.tmp")
    temporary.write_bytes(data)
    temporary.replace(file)


class Noise:
    """JPEGs of one exact size that differ in their last bytes, so that each is made, and hashed, in no time."""

    SEED_BYTES = 16
    pixels = 8, 8

    def __init__(self, n_bytes: int) -> None:
        buffer = io.BytesIO()
        paint(self.pixels, 0).convert("L").save(buffer, "JPEG", quality=30, optimize=True)
        padding = n_bytes - buffer.tell() - self.SEED_BYTES
        if padding < 0:
            raise ValueError(f"a JPEG of {n_bytes} bytes is too small; the least is {n_bytes - padding}")
        # What follows the end of a JPEG is no part of the picture.
        noise = random.Random(n_bytes).randbytes(min(padding, 1 << 16))
        self.n_bytes = n_bytes
        self._head = buffer.getvalue() + (noise * (padding // (1 << 16) + 1))[:padding]
        self._md5 = hashlib.md5(self._head)

    def picture(self, seed: int) -> bytes:
        """The JPEG of this seed."""
        return self._head + seed.to_bytes(self.SEED_BYTES, "big")

    def md5(self, seed: int) -> str:
        """The MD5 of `picture(seed)`, without making it."""
        begun = self._md5.copy()
        begun.update(seed.to_bytes(self.SEED_BYTES, "big"))
        return begun.hexdigest()


def noise_jpeg(n_bytes: int, seed: int) -> bytes:
    """A valid JPEG of exactly `n_bytes`; of another seed, another one."""
    return Noise(n_bytes).picture(seed)


if __name__ == "__main__":
    print(f"{demo_folder(Path(sys.argv[1]))} pictures made in {sys.argv[1]}")
