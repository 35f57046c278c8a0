"""What the replaced script has moved: its caches, checked against what Cloudinary delivers, become markers."""
