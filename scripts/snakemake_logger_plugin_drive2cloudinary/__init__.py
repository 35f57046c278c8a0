"""What Snakemake says on the terminal while it runs this workflow: `logger: drive2cloudinary` in the profiles."""

from drive2cloudinary.run.console import Console as LogHandler

__all__ = ["LogHandler"]
