"""The Snakemake logger plugin of this workflow, for the terminal: `logger: drive2cloudinary` in the profiles."""

from drive2cloudinary.run.compat import take_comments_as_texts
from drive2cloudinary.terminal.console import Console as LogHandler

__all__ = ["LogHandler"]

take_comments_as_texts()
