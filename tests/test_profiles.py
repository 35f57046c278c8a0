"""A run is where its profile says: here in the pool, or on the cluster of a profile that is asked for by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.harness import ROOT, Workspace

DEFAULT, *CLUSTERS = (
    yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text()) for name in ("default", "slurm")
)


@pytest.mark.parametrize("cluster", CLUSTERS, ids=lambda profile: profile["executor"])
def test_a_profile_that_takes_the_place_of_the_default_one_says_all_that_it_says(cluster: dict[str, object]) -> None:
    # On a cluster, jobs takes the place of cores.
    shared = DEFAULT.keys() - {"executor", "cores"}
    assert {key: cluster.get(key) for key in shared} == {key: DEFAULT[key] for key in shared}


def a_cluster_profile(workspace: Workspace) -> Path:
    """A profile with an executor of its own. (It is `local`, the only other one that this environment has.)"""
    profile = workspace.path / "mine"
    profile.mkdir()
    (profile / "config.yaml").write_text("executor: local\njobs: 100\n")
    return profile


def test_a_profile_whose_executor_would_be_overridden_is_a_line_that_says_what_to_type(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    a_cluster_profile(workspace)
    workspace.run("--profile", "mine").failed().line("--profile mine", "local", "--workflow-profile mine")
    assert not workspace.calls("drive.media") and not workspace.workers()

    workspace.environment["SNAKEMAKE_PROFILE"] = "mine"
    assert workspace.run().line("--workflow-profile mine")
    workspace.run("--executor", "pool").succeeded()
    workspace.audit()


def test_a_workflow_profile_that_is_not_there_is_a_line_that_names_those_that_are(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run("--workflow-profile", "profiles/slurm").failed().line("profiles/slurm", "default, slurm")
    assert not workspace.calls("drive.media")


def test_without_any_profile_it_runs_as_well(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    workspace.run("--workflow-profile", "none").succeeded()
    workspace.audit()


def test_a_text_in_a_profile_stays_what_was_written(workspace: Workspace) -> None:
    workspace.add("one.jpg")
    command = workspace.command("--workflow-profile", "mine")
    plain, pairs = command[: command.index("--config")], command[command.index("--config") + 1 :]
    profile = {"executor": "local", "config": dict(pair.split("=", 1) for pair in pairs) | {"folder_name": "2024_01"}}
    (workspace.path / "mine").mkdir()
    (workspace.path / "mine" / "config.yaml").write_text(yaml.safe_dump(profile))
    workspace.run_line(plain).succeeded()
    assert list(workspace.cloud.assets()) == ["2024_01/one"]
