# What only many images, or many Drive folders, need.


# In: the names of a hundred markers. Out: the flag that their job has ended; the markers are there one by one.
# On a cluster it has as many processes as it may have uploads at once, and Snakemake keeps all nodes together within
# uploads_at_once.
rule upload_batch:
    input:
        batch=f"{results}/{{folder}}/batches/{{batch}}.txt",
    output:
        done=temp(touch(f"{results}/{{folder}}/batches/{{batch}}.done")),
    log:
        f"{results}/{{folder}}/logs/upload_batch/{{batch}}.log",
    wildcard_constraints:
        batch="[0-9a-f]{32}-[0-9]+",
    conda:
        "../envs/migration.yaml"
    threads: pipeline.threads
    resources:
        uploads=pipeline.uploads_in_a_batch,
    params:
        scripts=scripts,
        settings=pipeline.hold_and_settings,
    shell:
        "python {params.scripts:q}/upload_batch.py --settings={params.settings:q}"
        " --at-once={resources.uploads} {input.batch:q} 2>{log:q}"


# In: the mapping of each Drive folder. Out: one mapping of all.
rule merge_mappings:
    input:
        expand(f"{results}/{{folder}}/mapping.json", folder=pipeline.folder_ids),
    output:
        csv=f"{results}/mapping.csv",
        json=f"{results}/mapping.json",
    log:
        f"{results}/logs/merge_mappings.log",
    localrule: True
    conda:
        "../envs/migration.yaml"
    params:
        scripts=scripts,
    shell:
        "python {params.scripts:q}/merge_mappings.py {output.csv:q} {input:q} 2>{log:q}"
