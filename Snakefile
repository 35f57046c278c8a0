"""Moves the images of a Google Drive folder to Cloudinary: list, upload each image, merge."""

import sys

from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, f"{workflow.basedir}/scripts")

from drive2cloudinary.run.compat import cancel_at_interrupt

cancel_at_interrupt(workflow)

from drive2cloudinary.run.pipeline import Pipeline
from drive2cloudinary.settings import ID
from drive2cloudinary.run.terminal import outlive_output

outlive_output()


configfile: f"{workflow.basedir}/config.yaml"


pipeline = Pipeline(workflow, config)
results = pipeline.settings.results
scripts = f"{workflow.basedir}/scripts"


wildcard_constraints:
    folder=ID,
    file_id=ID,
    md5="[0-9a-f]{32}",
    batch="[0-9a-f]{32}-[0-9]+",


# On a cluster, only the uploads are jobs for its nodes.
localrules:
    all,
    list_images,
    merge_markers,
    write_report,
    merge_mappings,
    verify,


def moved(wildcards):
    """What stands when all images of a folder are moved: a real run lists it anew first, a dry run has a listing."""
    if not workflow.dryrun:
        checkpoints.list_images.get(folder=wildcards.folder)
    return pipeline.to_move(wildcards.folder)


rule all:
    default_target: True
    input:
        pipeline.targets,


# Its input is new in every real run, so every real run lists anew; with update, a listing that fails leaves the last one.
checkpoint list_images:
    input:
        run=pipeline.begin,
    output:
        listing=update(f"{results}/{{folder}}/listing.json"),
    log:
        f"{results}/{{folder}}/logs/list_images.log",
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
        settings=pipeline.settings_of,
    shell:
        "python {params.scripts:q}/list_images.py --settings={params.settings:q} {output.listing:q} 2>{log:q}"


# No input file: a marker that stands is work that is never done again. In the pool of the executor `pool`, the command is
# not run, but what it does.
rule upload_image:
    output:
        marker=f"{results}/{{folder}}/markers/{{file_id}}.{{md5}}.json",
    log:
        f"{results}/{{folder}}/logs/upload_image/{{file_id}}.{{md5}}.log",
    conda:
        "envs/migration.yaml"
    threads: pipeline.threads
    resources:
        transfers=1,
    params:
        scripts=scripts,
        settings=pipeline.hold_and_settings,
        run=pipeline.run_folder,
    shell:
        "python {params.scripts:q}/upload_image.py --settings={params.settings:q} --run={params.run:q}"
        " {output.marker:q} 2>{log:q}"


# Many images by one job: where more than some thousand are pending, and on a cluster, where each job costs seconds. There
# it has as many processes as it may have uploads at once; Snakemake lets no more than uploads_at_once run on all nodes.
rule upload_batch:
    input:
        batch=f"{results}/{{folder}}/batches/{{batch}}.txt",
    output:
        done=temp(touch(f"{results}/{{folder}}/batches/{{batch}}.done")),
    log:
        f"{results}/{{folder}}/logs/upload_batch/{{batch}}.log",
    conda:
        "envs/migration.yaml"
    threads: pipeline.threads
    resources:
        uploads=pipeline.uploads_in_a_batch,
    params:
        scripts=scripts,
        settings=pipeline.hold_and_settings,
    shell:
        "python {params.scripts:q}/upload_batch.py --settings={params.settings:q}"
        " --at-once={resources.uploads} {input.batch:q} 2>{log:q}"


rule merge_markers:
    input:
        moved,
        listing=f"{results}/{{folder}}/listing.json",
    output:
        csv=f"{results}/{{folder}}/mapping.csv",
        json=f"{results}/{{folder}}/mapping.json",
        orphans=f"{results}/{{folder}}/orphans.csv",
    log:
        f"{results}/{{folder}}/logs/merge_markers.log",
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
    shell:
        "python {params.scripts:q}/merge_markers.py {input.listing:q} 2>{log:q}"


rule write_report:
    input:
        mapping=f"{results}/{{folder}}/mapping.json",
        listing=f"{results}/{{folder}}/listing.json",
    output:
        html=report(
            f"{results}/{{folder}}/report.html",
            caption="scripts/drive2cloudinary/report/page/caption.rst",
            category="Migration",
            labels={"Drive folder": "{folder}"},
        ),
    log:
        f"{results}/{{folder}}/logs/write_report.log",
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
    shell:
        "python {params.scripts:q}/write_report.py {input.listing:q} 2>{log:q}"


rule merge_mappings:
    input:
        expand(f"{results}/{{folder}}/mapping.json", folder=pipeline.folder_ids),
    output:
        csv=f"{results}/mapping.csv",
        json=f"{results}/mapping.json",
    log:
        f"{results}/logs/merge_mappings.log",
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
    shell:
        "python {params.scripts:q}/merge_mappings.py {output.csv:q} {input:q} 2>{log:q}"


# Asked for by name. verify.csv is no output, because Snakemake would take it away again if a URL is not right.
rule verify:
    input:
        run=pipeline.mappings_at_hand,
    log:
        str(pipeline.verify.log),
    conda:
        "envs/migration.yaml"
    threads: pipeline.cores
    params:
        scripts=scripts,
        settings=pipeline.settings.to_json(),
        csv=pipeline.verify.tables,
        quiet="--quiet" if pipeline.silent else "",
    shell:
        "python {params.scripts:q}/verify_urls.py --settings={params.settings:q} --at-once={threads} {params.quiet}"
        " {params.csv:q} 2>{log:q}"


onstart:
    pipeline.started()


onsuccess:
    pipeline.succeeded()


onerror:
    pipeline.failed()
