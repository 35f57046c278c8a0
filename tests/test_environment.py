"""The environments agree: what conda installs for the rules is what the lock file has."""

from __future__ import annotations

import tomllib

import yaml

from tests.harness import ROOT


def test_conda_and_lock_file_agree() -> None:
    lock = dict(
        line.split(" ;")[0].strip().split("==") for line in (ROOT / "requirements.lock").read_text().splitlines()
    )
    dependencies = yaml.safe_load((ROOT / "envs" / "migration.yaml").read_text())["dependencies"]
    pip = next(item["pip"] for item in dependencies if isinstance(item, dict))
    pins = dict(pin.split("==") for pin in pip)
    assert {name: lock[name] for name in pins} == pins
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {name.split(">")[0].split("=")[0] for name in declared}
    assert names - {"snakemake", "pyyaml", "rich"} <= set(pins), "a rule's script could need what its environment lacks"
