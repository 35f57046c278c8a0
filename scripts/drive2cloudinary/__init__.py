"""What the scripts and the Snakefile share: moving the images of a Google Drive folder to Cloudinary."""

__version__ = "0.2.0"
