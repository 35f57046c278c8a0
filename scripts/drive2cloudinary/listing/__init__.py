"""From what Drive has to the listing: which images, under which public_id, and what replaces what."""
