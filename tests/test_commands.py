"""Snakemake's own options and targets do what they say, or one line says what to type instead."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from drive2cloudinary.errors import MigrationError
from drive2cloudinary.run.arguments import check_settings
from drive2cloudinary.settings import Settings
from tests.harness import ROOT, SNAKEMAKE, Workspace


def marker_of(workspace: Workspace, name: str) -> str:
    """The target for one image of the listing at hand."""
    images = json.loads((workspace.results / "listing.json").read_text())["images"]
    image = next(each for each in images if each["name"] == name)
    return f"results/{workspace.cloud.folder_id}/markers/{image['id']}.{image['md5']}.json"


def test_a_dry_run_shows_what_is_forced(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.run().succeeded()
    for forced in (["-F"], ["-R", "upload_image"]):
        done = workspace.dry_run(*forced).succeeded()
        assert done.line("2 of 2 images to move (0 new, 0 changed, 0 failed before, 2 forced)")
        assert done.line("forced", "1.jpg")


def test_one_marker_as_the_target_is_a_line_that_says_what_came_of_it(workspace: Workspace) -> None:
    workspace.add("1.jpg", "2.jpg")
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    workspace.dry_run().succeeded()
    done = workspace.run(marker_of(workspace, "1.jpg")).succeeded()
    assert done.lines == [done.line("uploaded: 1.jpg: http")]
    for name, said in (("no picture.jpg", "Invalid image file"), ("2.jpg", "run python scripts/authenticate.py")):
        workspace.run(marker_of(workspace, name)).refused(said)
        workspace.cloud.oauth(revoke=True, expire=True)


def test_without_cores_all_of_them_are_used(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    command = workspace.command()
    at = command.index("--cores")
    workspace.run_line([*command[:at], *command[at + 2 :]]).succeeded()
    workspace.audit()


def test_a_stop_is_the_last_thing_that_is_said_and_orphans_are_named(workspace: Workspace) -> None:
    gone, *_ = workspace.add("gone.jpg", "1.jpg", "2.jpg")
    workspace.run().succeeded()
    workspace.cloud.drive("delete", id=gone)
    workspace.add("3.jpg")
    workspace.environment["CLOUDINARY_URL"] = workspace.cloud.cloudinary_url.replace("@", "x@", 1)
    done = workspace.run().failed()
    (to_do,) = workspace.agreed(done).to_do
    assert to_do.startswith("1 image pending, because the run was stopped: Cloudinary does not accept")
    assert done.lines[-1].endswith(to_do) and "the run ended before" not in done.said
    orphans = Path("results", workspace.cloud.folder_id, "orphans.csv")
    assert done.line(f"no longer in the Drive folder: 1 image, still in Cloudinary: see {orphans}")


def test_a_folder_that_was_not_listed_is_something_to_do(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    (workspace.path / "folders.csv").write_text(
        f"folder_name,link\n,{workspace.cloud.folder_id}\n,1AbCdEfGhIjKlMnOpQrStUvWxYz012345\n"
    )
    done = workspace.run(folder_id=None, folders="folders.csv").failed()
    assert done.to_do[-1].startswith("1 Drive folder has no new mapping, for the reason above. Then run")


def test_what_only_prints_works_before_the_first_run_and_after_it(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    for arguments in (["--summary"], ["--dag"], ["--list-changes", "input"]):
        workspace.run(*arguments).succeeded()
    assert not (workspace.path / "results").exists(), "it writes nothing"
    workspace.run().succeeded()
    workspace.cloud.reset()
    for arguments in (["--summary"], ["--dag"], ["--list-changes", "input"]):
        after = workspace.run(*arguments).succeeded()
        assert "pending" not in after.said and not workspace.cloud.log()
        assert arguments != ["--dag"] or "upload_image" in after.said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("folder_id=X folder_name=Y", "folder_id=X is a setting: put --config before it, as in --config folder_id=X"),
        (
            "--config a=1 -C b=2",
            "--config stands twice, and Snakemake takes only the last one: put all settings behind",
        ),
        ("--config=a=1 --config b=2", "--config stands twice"),
        ("--max-jobs-per-timespan 3/1s", "--max-jobs-per-timespan has no effect here: set drive_units_per_minute"),
    ],
)
def test_arguments_that_snakemake_takes_for_something_else_are_one_line(arguments: str, said: str) -> None:
    with pytest.raises(MigrationError, match=f"^{said}"):
        check_settings(arguments.split(), Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--until upload_image", "--until: which images there are is known only after list_images"),
        ("--batch merge_markers=1/2", "--batch: which images there are is known only after list_images"),
        ("--no-hooks", "--no-hooks: if images fail, a hook writes the mapping"),
        ("--touch", "--touch: there are no results yet"),
        ("--config limit=1", "--config stands twice"),
        ("--workflow-profile slurm", "there is no Slurm on this machine (sbatch is not found)"),
    ],
)
def test_what_cannot_work_says_why_in_one_line(workspace: Workspace, arguments: str, said: str) -> None:
    python = Path(sys.executable).parent
    if "slurm" in arguments:
        # An environment with the plugin, on a machine without Slurm's programs.
        python = ROOT / ".venv-slurm" / "bin"
        workspace.environment["PATH"] = f"{python}:{bare_path(workspace)}"
    command = workspace.command(*arguments.split())
    workspace.run_line([str(python / "snakemake"), *command[1:]]).refused(said)


def bare_path(workspace: Workspace) -> str:
    """A folder with the few programs that a run needs."""
    programs = workspace.path / "programs"
    programs.mkdir()
    for name in ("bash", "sh", "env", "which"):
        (programs / name).symlink_to(str(shutil.which(name)))
    return str(programs)


def test_touch_after_a_run_changes_times_alone(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    workspace.run().succeeded()
    before = workspace.mapping()
    workspace.cloud.reset()
    workspace.run("--touch").succeeded()
    assert workspace.mapping() == before and not workspace.cloud.log()
    workspace.run().succeeded()
    assert workspace.mapping() == before and not workspace.calls("cloudinary.upload")


def test_the_resource_uploads_limits_the_uploads(workspace: Workspace) -> None:
    workspace.add(*(f"{number}.jpg" for number in range(8)))
    workspace.cloud.settings(delay=0.3)
    workspace.cloud.faults([{"on": "cloudinary.upload", "do": {"hold": 2}, "times": 2}])
    workspace.run("--resources", "uploads=2", cores=8, timeout=120).succeeded()
    assert workspace.cloud.stats()["max_uploads_at_once"] == 2


def test_the_mapping_as_the_target_brings_the_report_along(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    folder = f"results/{workspace.cloud.folder_id}"
    done = workspace.run(f"{folder}/mapping.csv").succeeded()
    assert done.line("mapping: ") == f"mapping: {folder}/mapping.csv; report: {folder}/report.html"
    assert (workspace.path / folder / "report.html").exists()


def test_options_for_a_closer_look_have_snakemake_print_all_of_it(workspace: Workspace) -> None:
    workspace.add("1.jpg")
    done = workspace.run("--debug-dag").succeeded()
    assert "Finished jobid" in done.said and "candidate job" in done.said


@pytest.mark.parametrize("alias", ["", " as x_*"])
def test_another_workflow_can_import_this_one(workspace: Workspace, alias: str) -> None:
    workspace.add("1.jpg", "2.jpg")
    mapping = f"results/{workspace.cloud.folder_id}/mapping.csv"
    (workspace.path / "Snakefile").write_text(
        f"rule mine:\n    input: '{mapping}'\n    output: 'copy.csv'\n    shell: 'cp {{input}} {{output}}'\n"
        f"module x:\n    snakefile: '{ROOT}/Snakefile'\n    config: config\n"
        f"use rule * from x{alias}\n"
    )
    command = workspace.command("copy.csv")
    at = command.index("--snakefile")
    workspace.run_line([*command[:at], *command[at + 2 :]]).succeeded()
    rows = workspace.mapping()
    assert [row["status"] for row in rows] == ["uploaded", "uploaded"] and len(workspace.cloud.assets()) == 2
    assert (workspace.path / "copy.csv").read_bytes() == (workspace.path / mapping).read_bytes()


def test_the_small_configuration_of_the_catalog_needs_no_account(workspace: Workspace) -> None:
    """And has a rule graph that is whole."""
    shutil.copytree(ROOT / "tests" / "catalog", workspace.path / "catalog")
    workspace.environment["CLOUDINARY_URL"] = ""
    start = [str(SNAKEMAKE), "--snakefile", str(ROOT / "Snakefile")]
    end = ["--directory", "catalog", "--configfile", "catalog/config.yaml"]
    workspace.run_line([*start, "-n", *end]).succeeded().line("3 of 3 images to move (3 new, ")
    graph = workspace.run_line([*start, "--rulegraph", *end]).succeeded()
    for rule in ("all", "list_images", "upload_image", "merge_markers"):
        assert f'label = "{rule}"' in graph.stdout
