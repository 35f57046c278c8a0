"""The package behind the scripts and the Snakefile: it moves the images of a Google Drive folder to Cloudinary."""

__version__ = "0.2.0"
