"""The Snakemake logger plugin of this workflow, for the terminal: `logger: drive2cloudinary` in the profiles."""

from drive2cloudinary.terminal.console import Console as LogHandler

__all__ = ["LogHandler"]
