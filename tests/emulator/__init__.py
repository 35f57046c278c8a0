"""Google Drive v3 and the Cloudinary Upload API on loopback, over real HTTP: for the demo, the tests, the benchmarks.

    python -m tests.emulator --photos DIR --store DIR

It is as strict as the real services, and never more lenient: what passes here must pass there. Drive's
files are read from a local folder; uploads are kept in the store and survive a kill. `client.Emulator` starts
and steers it from a test, `pictures` makes the demo's photos.
"""
