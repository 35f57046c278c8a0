"""What Snakemake asks: which folders, what is pending, what is said meanwhile, and how a run ends."""
