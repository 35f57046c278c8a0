"""The Snakefile's functions: Drive folders, pending images, terminal output, and the end of a run."""
