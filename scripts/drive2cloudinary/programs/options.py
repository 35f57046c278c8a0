"""Command-line options for settings, for the scripts that people run; config.yaml has their defaults."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from drive2cloudinary import configuration
from drive2cloudinary.plan.filters import with_mime_types
from drive2cloudinary.settings import Settings

ROOT = Path(__file__).parents[3]


def add_settings(parser: argparse.ArgumentParser, described: dict[str, str]) -> None:
    """Add an option for each of these settings to the parser. In: setting → help text."""
    for name, what in described.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, dest=f"setting_{name}", metavar="VALUE", help=f"{what} (default: config.yaml's {name})"
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of config.yaml, overridden by the options. Raises MigrationError if a setting is wrong."""
    config = configuration.read(ROOT / "config.yaml")
    return with_mime_types(Settings.from_config({**config, **_given(options)}, ROOT / "config.schema.yaml"))


def upload_command(options: argparse.Namespace) -> str:
    """The snakemake command, quoted for a shell, that uploads with the settings that the options give."""
    pairs = [shlex.quote(f"{name}={value}") for name, value in _given(options).items()]
    return " ".join(["snakemake --cores 8", *(["--config", *pairs] if pairs else [])])


def _given(options: argparse.Namespace) -> dict[str, str]:
    """Setting → value, of the settings that were given as options."""
    return {
        name.removeprefix("setting_"): value
        for name, value in vars(options).items()
        if name.startswith("setting_") and value is not None
    }
