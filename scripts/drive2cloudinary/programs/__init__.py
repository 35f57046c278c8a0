"""What the programs share that people run beside snakemake."""
