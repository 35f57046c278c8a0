"""What Cloudinary delivers, compared with what we hold."""
