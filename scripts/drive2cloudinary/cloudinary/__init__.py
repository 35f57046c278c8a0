"""Cloudinary: what it accepts as a name and as an image, uploading, and what its CDN delivers."""
