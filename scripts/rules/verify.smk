# The rule that verifies the result.


# In: run.json of each results folder. Out: verify.csv of each. It is not declared as output, because Snakemake would
# delete it if a URL is wrong. Runs only if named: snakemake --cores 8 … verify
rule verify:
    input:
        run=pipeline.mappings_at_hand,
    log:
        str(pipeline.verify.log),
    localrule: True
    conda:
        "../../envs/migration.yaml"
    threads: pipeline.invocation.cores
    params:
        scripts=scripts,
        settings=pipeline.all_settings,
        csv=pipeline.verify.tables,
        quiet="--quiet" if pipeline.invocation.is_silent else "",
    shell:
        "python {params.scripts:q}/verify_urls.py --settings={params.settings:q} --at-once={threads} {params.quiet}"
        " {params.csv:q} 2>{log:q}"
