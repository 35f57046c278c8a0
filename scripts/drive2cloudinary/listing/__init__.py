"""Make the listing: which images there are, under which public_id each is stored, and which asset it replaces."""
