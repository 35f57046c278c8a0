"""One file from Drive to Cloudinary, with its proof."""
