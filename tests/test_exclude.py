"""What people leave out is left out, and a pattern without effect is said."""

from __future__ import annotations

import yaml

from tests.harness import Workspace


def left(workspace: Workspace) -> dict[str, str]:
    """Name of each excluded image → why."""
    return {row["filename"]: row["error"] for row in workspace.mapping() if row["status"] == "skipped"}


def test_exclude_is_taken_as_typed(workspace: Workspace) -> None:
    """YAML takes these for a comment, a tag, an object; Snakemake's parser ended with a traceback at the first one."""
    names = ["#recycle", "Trip #2", "!a", "- b", "e: f", "it's $HOME"]
    for number, name in enumerate(names):
        workspace.add(f"{number}.jpg", parent=workspace.cloud.drive("folder", name=name))
    workspace.add("kept.jpg")
    patterns = [f"{name}/*" for name in names]
    workspace.run(exclude=",".join(patterns), folder_name="#1").succeeded()
    assert left(workspace) == {f"{number}.jpg": f"exclude has {each}" for number, each in enumerate(patterns)}
    assert list(workspace.cloud.assets()) == ["1/kept"]


def test_a_profile_and_a_list_in_config_yaml_have_the_same_texts(workspace: Workspace) -> None:
    for name in ("#recycle", "a,b"):
        workspace.add(f"in {name}.jpg", parent=workspace.cloud.drive("folder", name=name))
    workspace.add("kept.jpg")
    command = workspace.command("--profile", "mine", exclude="#recycle/*, kept*", folder_name="'2024'")
    at = command.index("--config")
    pairs = dict(pair.split("=", 1) for pair in command[at + 1 :])
    (workspace.path / "mine").mkdir()
    (workspace.path / "mine" / "profile.yaml").write_text(yaml.safe_dump({"config": pairs}))
    workspace.run_line(command[:at]).succeeded()
    assert list(workspace.cloud.assets()) == ["2024/a_b/in_a_b"]
    (workspace.path / "mine.yaml").write_text('exclude: ["a,b/*", "#recycle/*"]')
    assert workspace.dry_run("--configfile", "mine.yaml", results="other").line("1 of 3 images to move")
