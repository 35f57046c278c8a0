"""The results folder: all files in it, and its exclusive lock."""
