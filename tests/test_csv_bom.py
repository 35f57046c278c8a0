"""The setting csv_bom: a byte order mark at the beginning of each CSV file, for Excel, and of nothing else."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

from tests.harness import Workspace

NOTHING = "nothing has changed since the last run: mapping and report stay as they are"


def tables(workspace: Workspace) -> dict[str, list[dict[str, str]]]:
    """The CSV files that a run writes, without verify.csv, each with its rows."""
    paths = [
        workspace.results / "mapping.csv",
        workspace.results / "orphans.csv",
        workspace.results.parent / "mapping.csv",
    ]
    return {f"{path.parent.name}/{path.name}": rows(path) for path in paths}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def with_mark(workspace: Workspace) -> set[str]:
    """The names of the CSV files below the results that begin with a byte order mark."""
    found = workspace.results.parent.rglob("*.csv")
    return {f"{path.parent.name}/{path.name}" for path in found if path.read_bytes().startswith(BOM_UTF8)}


def test_the_byte_order_mark_follows_the_setting_though_nothing_else_changes(workspace: Workspace) -> None:
    gone, _ = workspace.add("gone.jpg", "café.jpg")
    config: dict[str, Any] = {"folder_id": None, "folders": f"[{workspace.cloud.folder_id}]"}
    workspace.run(**config).succeeded()
    workspace.cloud.drive("delete", id=gone)
    workspace.run(**config).succeeded()
    without = tables(workspace)
    assert [len(each) for each in without.values()] == [1, 1, 1] and not with_mark(workspace)

    workspace.run(**config, csv_bom="true").succeeded()
    assert with_mark(workspace) == set(without), "the mapping, the orphans and the combined mapping"
    assert tables(workspace) == without
    workspace.run("verify", **config, csv_bom="true").succeeded()
    verified = f"{workspace.cloud.folder_id}/verify.csv"
    assert with_mark(workspace) == {*without, verified}
    assert NOTHING in workspace.run(**config, csv_bom="true").lines

    assert NOTHING not in workspace.run(**config).lines
    assert with_mark(workspace) == {verified}, "which only verify writes"
    assert tables(workspace) == without and workspace.calls("cloudinary.upload") == 2


def test_the_mapping_of_a_failed_run_has_the_byte_order_mark_too(workspace: Workspace) -> None:
    """Another part of the program writes it then."""
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    workspace.run(csv_bom="true").failed()
    assert with_mark(workspace) == {f"{workspace.results.name}/{name}" for name in ("mapping.csv", "orphans.csv")}
