"""Google Drive: signing in, finding images, downloading them."""
