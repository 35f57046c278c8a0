"""The command line: starts the services on 127.0.0.1 and prints their addresses."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from .assets import Assets
from .cloudinary_api import Account, CloudinaryApi
from .consent import CONSENT_PATH
from .control import Control
from .delivery import Delivery
from .drive import Drive
from .drive_tree import Tree
from .faults import Faults
from .identity import load_or_make, write_client_files
from .oauth import GOOGLE, OAuth
from .pictures import Noise
from .record import Record
from .wire import Port


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The options; `python -m tests.emulator --help` shows them. In: the words of the command line; None: sys.argv."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="local folder that is the Drive folder")
    parser.add_argument("--store", type=Path, required=True, help="where uploads, secrets and tokens are kept")
    parser.add_argument("--generate", type=int, default=0, metavar="N", help="add N made-up pictures")
    parser.add_argument("--generate-bytes", type=int, default=100_000, metavar="B", help="their size")
    parser.add_argument("--generate-per-album", type=int, default=200, metavar="K", help="how many lie in one folder")
    parser.add_argument("--drive-delay", type=float, default=0, metavar="MS", help="added to each Drive call")
    parser.add_argument("--upload-delay", type=float, default=0, metavar="MS", help="added to each upload")
    parser.add_argument("--drive-qps", type=int, default=0, metavar="N", help="refuse more Drive calls a second")
    parser.add_argument(
        "--drive-units-per-minute", type=int, default=325_000, metavar="N", help="Drive's quota; 0: none"
    )
    parser.add_argument("--uploads-at-once", type=int, default=0, metavar="N", help="refuse more uploads at once")
    parser.add_argument("--max-image-bytes", type=int, default=10_485_760, metavar="B")
    parser.add_argument(
        "--real-names", action="store_true", help="clients know it by the services' real names (tests/proxy.py)"
    )
    parser.add_argument("--drive-port", type=int, default=0)
    parser.add_argument("--oauth-port", type=int, default=0)
    parser.add_argument("--cloudinary-port", type=int, default=0)
    options = parser.parse_args(words)
    if not options.photos.is_dir():
        parser.error(f"--photos: {options.photos} is not a folder")
    if options.store.resolve().is_relative_to(options.photos.resolve()):
        parser.error("--store is inside --photos: what is kept there would be taken for photos")
    return options


def drive_tree(options: argparse.Namespace) -> Tree:
    """The Drive as the options describe it. Its IDs depend only on the folder's name, so they survive a restart."""
    name = options.photos.resolve().name
    tree = Tree(name, seed=name)
    tree.load(options.photos)
    if options.generate:
        tree.generate(options.generate, Noise(options.generate_bytes), options.generate_per_album)
    return tree


async def serve(options: argparse.Namespace, announce: Callable[[dict[str, str]], None]) -> None:
    """Serves until a signal arrives. In: what is called with the addresses once it is ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options.store.mkdir(parents=True, exist_ok=True)
    kept = load_or_make(options.store)
    tree = drive_tree(options)
    record, faults = Record(), Faults()
    oauth = OAuth(kept, record)
    assets = Assets(options.store / "assets")
    account = Account(
        cloud=kept["cloud"],
        key=kept["api_key"],
        secret=kept["api_secret"],
        max_bytes=options.max_image_bytes,
        at_once=options.uploads_at_once,
        delay=options.upload_delay / 1000,
    )
    drive = Drive(tree, oauth, options.drive_delay / 1000, options.drive_qps, options.drive_units_per_minute)
    api = CloudinaryApi(account, assets, record)
    control = Control(tree, oauth, drive, api, faults, record, options.store)
    control.replay()
    ports = {
        "drive": Port("drive", [("/", drive)], faults, record),
        "oauth": Port("oauth", [("/", oauth)], faults, record),
        "cloudinary": Port(
            "cloudinary",
            [("/emulator", control), ("/v1_1/", api), ("/", Delivery(assets, account.cloud, account.secret))],
            faults,
            record,
        ),
    }
    base = {
        name: f"http://127.0.0.1:{await port.listen(getattr(options, f'{name}_port'))}" for name, port in ports.items()
    }
    account.base = "https://res.cloudinary.com" if options.real_names else base["cloudinary"]
    oauth.token_uri = GOOGLE if options.real_names else base["oauth"] + "/token"
    browser = "https://accounts.google.com" if options.real_names else base["oauth"]
    prefix = "" if options.real_names else f"?upload_prefix={base['cloudinary']}"
    ready = {
        "folder_id": tree.folder_id,
        "drive_endpoint": base["drive"],
        "oauth_endpoint": base["oauth"],
        **write_client_files(options.store.resolve(), kept, oauth.token_uri, browser + CONSENT_PATH),
        "cloudinary_url": f"cloudinary://{account.key}:{account.secret}@{account.cloud}{prefix}",
        "control": base["cloudinary"] + "/emulator",
    }
    announce(ready)
    await stop.wait()
    await asyncio.gather(*(port.close() for port in ports.values()))


def main(words: Sequence[str] | None = None, announce: Callable[[dict[str, str]], None] | None = None) -> None:
    """Runs the emulator. In: as of `arguments` and `serve`; by default, the addresses are printed as a line of JSON."""
    asyncio.run(serve(arguments(words), announce or (lambda ready: print(json.dumps(ready), flush=True))))


if __name__ == "__main__":
    main()
