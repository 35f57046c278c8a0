"""Cloudinary: valid names and image formats, uploads, and what its CDN delivers."""
