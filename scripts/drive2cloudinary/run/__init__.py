"""What Snakemake asks of this workflow: which Drive folders, which images are pending, how a run ends."""
