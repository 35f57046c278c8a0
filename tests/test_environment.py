"""The environments agree: what conda installs for the rules is what the lock file has."""

from __future__ import annotations

import tomllib

import yaml

from tests.harness import ROOT


def lock(name: str) -> dict[str, str]:
    """Package → version, of a lock file."""
    return dict(line.split(" ;")[0].strip().split("==") for line in (ROOT / name).read_text().splitlines())


def test_slurm_adds_to_the_lock_file_and_changes_nothing_in_it() -> None:
    ours, its = lock("requirements.lock"), lock("envs/slurm.lock")
    assert {name: its[name] for name in its if name in ours} == {name: ours[name] for name in its if name in ours}
    assert [name for name in its if name.startswith("snakemake-executor-plugin-") and "jobstep" not in name] == [
        "snakemake-executor-plugin-slurm"
    ]
    assert not [name for name in ours if name.startswith("snakemake-executor-plugin-")]


def test_conda_and_lock_file_agree() -> None:
    ours = lock("requirements.lock")
    dependencies = yaml.safe_load((ROOT / "envs" / "migration.yaml").read_text())["dependencies"]
    pip = next(item["pip"] for item in dependencies if isinstance(item, dict))
    pins = dict(pin.split("==") for pin in pip)
    assert {name: ours[name] for name in pins} == pins
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {name.split(">")[0].split("=")[0] for name in declared}
    assert names - {"snakemake", "pyyaml", "rich"} <= set(pins), "a rule's script could need what its environment lacks"
