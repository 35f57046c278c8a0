"""Moves the images of a Google Drive folder to Cloudinary: list, upload each image, merge."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
# Not workflow.basedir, so that another workflow can import this one as a module.
base = str(workflow.current_basedir)
scripts = f"{base}/scripts"
sys.path.insert(0, scripts)

from drive2cloudinary.run.start import start
from drive2cloudinary.settings import ID, RESULTS_NAME


configfile: f"{base}/config.yaml"


pipeline = start(workflow, base, config, checkpoints)
results = Path(pipeline.settings.results)
# Snakemake compares paths as texts, and the package writes them as a Path does: not ./{folder}.
results_folder = results / "{folder}"


wildcard_constraints:
    folder=RESULTS_NAME,
    file_id=ID,
    fingerprint="[0-9a-f]{32}",


# In: the mapping and the report of each Drive folder. Out: nothing.
rule all:
    default_target: True
    input:
        *pipeline.targets,
    localrule: True


# In: run.json, which each real run rewrites. Out: listing.json; if the rule fails, the last listing is kept.
checkpoint list_images:
    input:
        run=pipeline.begin,
    output:
        listing=update(f"{results_folder}/listing.json"),
    log:
        f"{results_folder}/logs/list_images.log",
    localrule: True
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
        settings=pipeline.settings_of,
    shell:
        "python {params.scripts:q}/list_images.py --settings={params.settings:q} {output.listing:q} 2>{log:q}"


# In: nothing, so that an image with a marker is never uploaded again. Out: the marker of one image.
# The executor `pool` does not run the command; one of its processes does the same work.
rule upload_image:
    output:
        marker=f"{results_folder}/markers/{{file_id}}.{{fingerprint}}.json",
    log:
        f"{results_folder}/logs/upload_image/{{file_id}}.{{fingerprint}}.log",
    conda:
        "envs/migration.yaml"
    threads: pipeline.threads
    resources:
        transfers=1,
        uploads=pipeline.uploads_of_an_image,
    params:
        scripts=scripts,
        settings=pipeline.hold_and_settings,
        run=pipeline.run_folder,
    shell:
        "python {params.scripts:q}/upload_image.py --settings={params.settings:q} --run={params.run:q}"
        " {output.marker:q} 2>{log:q}"


# In: the listing, run.json, the markers of the pending images or the flags of their batches. Out: mapping, orphans, and
# the report, which `snakemake --report` includes, too.
rule merge_markers:
    input:
        pipeline.transferred,
        run=pipeline.begin,
        listing=f"{results_folder}/listing.json",
    output:
        csv=f"{results_folder}/mapping.csv",
        json=f"{results_folder}/mapping.json",
        orphans=f"{results_folder}/orphans.csv",
        html=report(
            f"{results_folder}/report.html",
            caption="scripts/drive2cloudinary/report/page/caption.rst",
            category="Migration",
            labels={"Drive folder": "{folder}"},
        ),
    log:
        f"{results_folder}/logs/merge_markers.log",
    localrule: True
    conda:
        "envs/migration.yaml"
    params:
        scripts=scripts,
    shell:
        "python {params.scripts:q}/merge_markers.py {input.listing:q} 2>{log:q}"


include: "scripts/rules/verify.smk"
include: "scripts/rules/many.smk"


onstart:
    pipeline.started()


onsuccess:
    pipeline.succeeded()


onerror:
    pipeline.failed()
