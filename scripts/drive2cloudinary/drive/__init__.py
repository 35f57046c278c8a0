"""Google Drive: sign-in, searching for images, downloads."""
