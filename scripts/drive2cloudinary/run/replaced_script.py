"""The options of the script that this project replaces, as a command line of snakemake.

It needs the standard library alone: a cron job may call it with any Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
WITH_NUMBER = ("--workers", "--processes", "--threads")
SWITCHES = ("--no-recursive", "--force-rescan", "-h", "--help")
DASHED_ID = r"-[A-Za-z0-9_][A-Za-z0-9_-]{17,}"
"""A Drive ID that begins with a dash. No option of snakemake with a single dash is this long."""


def upload_parser() -> argparse.ArgumentParser:
    """The parser of the arguments that `upload` does not pass on."""
    parser = argparse.ArgumentParser(
        prog=f"{Path(sys.argv[0]).name} upload",
        description="Move the images of a Drive folder to Cloudinary. Other options are passed on to snakemake.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", help="the Drive folder's ID or its URL")
    parser.add_argument(
        "folder_name", metavar="FOLDER_NAME", nargs="?", help="the Cloudinary folder (default: the Drive folder's name)"
    )
    parser.add_argument("n", metavar="N", nargs="?", type=at_least_one, help="the same as --workers N")
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
    return parser


def at_least_one(text: str) -> int:
    """A number of workers. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers: 1, 2, 3 …")
    return int(text)


def snakemake_arguments(arguments: list[str]) -> list[str]:
    """The arguments for snakemake. In: the arguments after `upload`.

    If they are wrong, prints a usage line and exits.
    """
    parser = upload_parser()
    ours, theirs = split(arguments)
    given = parser.parse_args(ours)
    config, theirs = take_config(theirs)
    if given.n and given.workers:
        parser.error(f"the number of workers is given twice: {given.n} and {given.workers}")
    workers = given.n or given.workers
    cores = [each for each in theirs if re.match(r"--(cores|jobs)(=|$)|-[cj]\d*$", each)]
    if workers and cores:
        parser.error(f"the number of workers is given twice: {workers} and with snakemake's {cores[0]}")
    pairs = {
        "folder_id": given.folder,
        "folder_name": given.folder_name,
        "recursive": "false" if given.no_recursive else None,
    }
    pairs = {key: value for key, value in pairs.items() if value is not None}
    for key, value in pairs.items():
        if any(pair.startswith(f"{key}=") for pair in config):
            parser.error(f"{key} is given twice: {value} and with --config")
    if given.force_rescan:
        theirs = force_listing(theirs)
    at_once = [] if cores else ["--cores", str(workers or "all")]
    settings = [*(f"{key}={value}" for key, value in pairs.items()), *config]
    return ["--snakefile", str(ROOT / "Snakefile"), *theirs, *at_once, "--config", *settings]


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
        if name in (*WITH_NUMBER, *SWITCHES):
            options.append(argument)
            if name in WITH_NUMBER and not equals and rest:
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
