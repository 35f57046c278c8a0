# Rules for many images and for many Drive folders.


# In: the names of the markers of one batch. Out: the flag that the job has ended; each marker is written as soon as it is ready.
# On a cluster, a job has as many processes as uploads; Snakemake keeps all jobs together, and each job, within uploads_at_once.
rule upload_batch:
    input:
        batch=f"{results_folder}/batches/{{batch}}.txt",
    output:
        done=temp(touch(f"{results_folder}/batches/{{batch}}.done")),
    log:
        f"{results_folder}/logs/upload_batch/{{batch}}.log",
    wildcard_constraints:
        batch="[0-9a-f]{32}-[0-9]+",
    conda:
        "../../envs/migration.yaml"
    threads: pipeline.threads
    resources:
        uploads=pipeline.uploads_in_a_batch,
    params:
        scripts=scripts,
        settings=pipeline.hold_and_settings,
    shell:
        "python {params.scripts:q}/upload_batch.py --settings={params.settings:q}"
        " --at-once={resources.uploads} {input.batch:q} 2>{log:q}"


# In: the mapping of each Drive folder with a change. Out: one combined mapping.
rule merge_mappings:
    input:
        pipeline.changed_mappings,
    output:
        csv=str(results / "mapping.csv"),
        json=str(results / "mapping.json"),
    log:
        str(results / "logs" / "merge_mappings.log"),
    localrule: True
    conda:
        "../../envs/migration.yaml"
    params:
        scripts=scripts,
        mappings=pipeline.mappings,
    shell:
        "python {params.scripts:q}/merge_mappings.py {output.csv:q} {params.mappings:q} 2>{log:q}"
