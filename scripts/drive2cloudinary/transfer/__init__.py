"""The transfer of one image from Drive to Cloudinary, with the proof that it arrived."""
