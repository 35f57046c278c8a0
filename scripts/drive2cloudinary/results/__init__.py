"""The results folder: every file in it, and the lock that one run holds on it."""
