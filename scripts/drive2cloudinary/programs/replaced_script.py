"""The options of the replaced script, as a command line of snakemake.

It needs the standard library alone: a cron job may call it with any Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
WITH_NUMBER = ("--workers", "--processes", "--threads")
WITH_VALUE = (*WITH_NUMBER, "--retry", "--link-column", "--name-column")
SWITCHES = ("--no-recursive", "--force-rescan", "--skip-wrong-lines", "-h", "--help")
DASHED_ID = r"-[A-Za-z0-9_][A-Za-z0-9_-]{17,}"
"""A Drive ID that begins with a dash. No option of snakemake with a single dash is this long."""
MOST_WORKERS = 1000
"""A higher number is a year or the like: the name of a Cloudinary folder."""
NEEDLESS_RETRY = "--retry is not needed: each run tries the failed images again"


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser with the options that both uploads have."""
    parser = argparse.ArgumentParser(
        prog=f"{Path(sys.argv[0]).name} {command}",
        description=f"{description} Other options are passed on to snakemake.",
        allow_abbrev=False,
    )
    parser.add_argument(
        *WITH_NUMBER,
        dest="workers",
        type=at_least_one,
        metavar="N",
        help="images moved at once; all three mean snakemake's --cores (default: the number of CPUs)",
    )
    parser.add_argument("--no-recursive", action="store_true", help="do not move the images of subfolders")
    parser.add_argument(
        "--force-rescan",
        action="store_true",
        help="list the Drive folder again, as every real run does; nothing is uploaded again",
    )
    parser.add_argument(
        "--retry", choices=("auto", "true", "false"), help="not needed: failed images are always tried again"
    )
    return parser


def _upload_parser() -> argparse.ArgumentParser:
    parser = _parser("upload", "Move the images of a Drive folder to Cloudinary.")
    parser.add_argument("folder", metavar="FOLDER", help="the Drive folder's ID or its URL")
    parser.add_argument(
        "more",
        metavar="FOLDER_NAME or N",
        nargs="*",
        help="the Cloudinary folder (default: the Drive folder's name); the same as --workers N. In any order",
    )
    return parser


def _batch_parser() -> argparse.ArgumentParser:
    parser = _parser("batch-upload", "Move the images of the Drive folders in a CSV file to Cloudinary.")
    parser.add_argument("folder", metavar="FILE.csv", help="one Drive folder in each line")
    parser.add_argument("more", metavar="N", nargs="*", help="the same as --workers N")
    parser.add_argument("--link-column", metavar="COLUMN", help="the column of the Drive folders' IDs or URLs")
    parser.add_argument("--name-column", metavar="COLUMN", help="the column of the Cloudinary folders")
    parser.add_argument(
        "--skip-wrong-lines",
        action="store_true",
        help="move the folders of the other lines; the exit code is 1 all the same",
    )
    return parser


PARSERS = {"upload": _upload_parser, "batch-upload": _batch_parser}
"""The commands that call snakemake."""


def at_least_one(text: str) -> int:
    """A number of workers. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers: 1, 2, 3 …")
    if int(text) > MOST_WORKERS:
        raise argparse.ArgumentTypeError(
            f"{text} is too many workers; if it is the Cloudinary folder: --config folder_name={text}"
        )
    return int(text)


def snakemake_arguments(command: str, arguments: list[str]) -> list[str]:
    """The arguments for snakemake. In: one of PARSERS, and the arguments after it.

    If they are wrong, prints a usage line and exits.
    """
    parser = PARSERS[command]()
    ours, theirs = split(arguments)
    given = parser.parse_args(ours)
    config, theirs = take_config(theirs)
    try:
        name, number = name_and_number(given.more, command == "upload")
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if number and given.workers:
        parser.error(f"the number of workers is given twice: {number} and {given.workers}")
    workers = number or given.workers
    cores = [each for each in theirs if re.match(r"--(cores|jobs)(=|$)|-[cj]\d*$", each)]
    if workers and cores:
        parser.error(f"the number of workers is given twice: {workers} and with snakemake's {cores[0]}")
    if command == "upload":
        wanted = {"folder_id": given.folder, "folder_name": name}
    else:
        wanted = {
            "folders": given.folder,
            "folders_link_column": given.link_column,
            "folders_name_column": given.name_column,
            "skip_wrong_lines": "true" if given.skip_wrong_lines else None,
        }
    wanted["recursive"] = "false" if given.no_recursive else None
    pairs = {key: value for key, value in wanted.items() if value is not None}
    for key, value in pairs.items():
        if any(pair.startswith(f"{key}=") for pair in config):
            parser.error(f"{key} is given twice: {value} and with --config")
    if given.retry:
        print(NEEDLESS_RETRY, file=sys.stderr)
    if given.force_rescan:
        theirs = force_listing(theirs)
    at_once = [] if cores else ["--cores", str(workers or "all")]
    settings = [*(f"{key}={value}" for key, value in pairs.items()), *config]
    return ["--snakefile", str(ROOT / "Snakefile"), *theirs, *at_once, "--config", *settings]


def name_and_number(more: Sequence[str], may_have_name: bool) -> tuple[str | None, int | None]:
    """The Cloudinary folder and the number of workers, each None if not given. Raises ArgumentTypeError.

    In: what stands after the Drive folder. Of two numbers, the first is the name.
    """
    if len(more) > 1 + may_have_name:
        raise argparse.ArgumentTypeError(f"unrecognized arguments: {' '.join(more[1 + may_have_name :])}")
    numbers = [text for text in more if text.isdecimal()][-1:]
    names = list(more)
    for number in numbers:
        # The last one: `upload ID 2024 4`.
        del names[len(names) - 1 - names[::-1].index(number)]
    if len(names) > 1 or (names and not may_have_name):
        raise argparse.ArgumentTypeError(f"{names[-1]!r} is not a number of workers: 1, 2, 3 …")
    return names[0] if names else None, at_least_one(numbers[0]) if numbers else None


def force_listing(arguments: list[str]) -> list[str]:
    """The arguments, with list_images added to the rules that are forced to run."""
    at = next((number for number, each in enumerate(arguments, 1) if each in ("-R", "--forcerun")), None)
    if at is None:
        return [*arguments, "--forcerun", "list_images"]
    return [*arguments[:at], "list_images", *arguments[at:]]


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split into our own arguments, options last, and snakemake's.

    From the first unknown option on, everything that is not an option of ours belongs to snakemake.
    """
    options: list[str] = []
    positionals: list[str] = []
    theirs: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, _ = argument.partition("=")
        if argument == "--":
            return [*positionals, *options], [*theirs, *rest]
        if name in (*WITH_VALUE, *SWITCHES):
            options.append(argument)
            if name in WITH_VALUE and not equals and rest:
                options.append(rest.pop(0))
        elif not theirs and re.fullmatch(DASHED_ID, argument):
            # argparse would take the bare ID for an option.
            positionals.append(f"https://drive.google.com/drive/folders/{argument}")
        elif theirs or argument.startswith("-"):
            theirs.append(argument)
        else:
            positionals.append(argument)
    return [*positionals, *options], theirs


def take_config(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The pairs of all --config options, and the other arguments. snakemake itself uses only the last --config."""
    config: list[str] = []
    others: list[str] = []
    inside = False
    for argument in arguments:
        if argument in ("--config", "-C"):
            inside = True
        elif argument.startswith("--config="):
            config.append(argument.partition("=")[2])
            inside = False
        else:
            inside = inside and not argument.startswith("-")
            (config if inside else others).append(argument)
    return config, others


def python() -> str:
    """A Python that has snakemake: the current one, or the one that `make setup` installed."""
    ours = ROOT / ".venv" / "bin" / "python"
    if importlib.util.find_spec("snakemake"):
        return sys.executable
    if ours.exists():
        return str(ours)
    sys.exit(f"snakemake is not installed: run make setup in {ROOT}")
