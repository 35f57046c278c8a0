"""What Snakemake says on the terminal while it runs this workflow: `logger: drive2cloudinary` in the profiles."""

from migrate.console import Console as LogHandler

__all__ = ["LogHandler"]
