"""What people leave out is left out, and a pattern without effect is said."""

from __future__ import annotations

from typing import Any

import yaml

from tests.harness import PATIENCE, Workspace


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


def test_existing_names_win_over_patterns_and_extensions_have_no_case(workspace: Workspace) -> None:
    for folder in ("[2024] Trip", "2 Trip", "Photos"):
        workspace.add(f"in {folder}.jpg", parent=workspace.cloud.drive("folder", name=folder))
    workspace.add("X.GIF", "kept.gif.jpg", "fine [1].jpg", "fine 1.jpg")
    workspace.run(exclude="[2024] Trip/*,*.gif,Photos/*,fine [1].*").succeeded()
    assert sorted(left(workspace)) == ["X.GIF", "fine [1].jpg", "in Photos.jpg", "in [2024] Trip.jpg"]


def test_a_pattern_that_fits_nothing_is_said_before_the_first_upload_and_the_exit_code_tells(
    workspace: Workspace,
) -> None:
    """With one letter less, or an ID of another folder, pictures become public that should not."""
    workspace.cloud.drive("folder", name="empty", parent=workspace.cloud.drive("folder", name="2024"))
    (image,) = workspace.add("in it.jpg", parent=workspace.cloud.drive("folder", name="drafts"))
    workspace.add("kept.png")
    wanted: dict[str, Any] = {
        "exclude": f"draft/*,drafts/**,2024/empty/,{image},*.pgn,drfats/in it.jpg,x\u202eyz",
        "include": "IMAGE/JPG,*.jpeg,image/gfi,image/*",
        "trust_checksum": f"{{{image}: false, 1Other: false}}",
    }
    lines = [
        "include 'image/gfi' fits nothing",
        "exclude 'draft/*' fits nothing; did you mean 'drafts/*'?",
        "exclude '*.pgn' fits nothing; did you mean '*.png'?",
        "exclude 'drfats/in it.jpg' fits nothing; did you mean 'drafts/in it.jpg'?",
        "exclude 'x yz' fits nothing",
        "trust_checksum '1Other' fits nothing",
    ]
    assert workspace.dry_run(**wanted).lines[1:-2] == [f"warning: {line}" for line in lines]

    workspace.cloud.faults([{"on": "cloudinary.upload", "do": {"hold": 0}, "times": None}])
    running = workspace.start(**wanted, timeout=PATIENCE)
    assert running.stderr
    for line in lines:
        while (said := running.stderr.readline().strip()) != line:
            assert said, f"ended before {line}"
    assert not workspace.count_markers()
    workspace.cloud.faults([])
    done = workspace.finish(running).failed()
    assert workspace.agreed(done).to_do == lines
    assert workspace.statuses() == {"in it.jpg": "skipped", "kept.png": "uploaded"}

    again = workspace.run(**wanted).failed()
    assert again.to_do == lines and again.line("nothing has changed since")


def test_of_many_folders_a_pattern_has_to_fit_in_one(workspace: Workspace) -> None:
    albums = [workspace.cloud.drive("folder", name=name) for name in ("a", "b")]
    for album, name in zip(albums, ("drafts a", "drafts b"), strict=True):
        workspace.add("one.jpg", parent=workspace.cloud.drive("folder", name=name, parent=album))
    (workspace.path / "folders.csv").write_text("\n".join(["link", *albums]))
    done = workspace.run(folder_id=None, folders="folders.csv", exclude="drafts a,a/drafts a,drfats b/*").failed()
    said = "exclude 'drfats b/*' fits nothing; did you mean 'drafts b/*'?"
    assert done.to_do == [said] and said in done.lines and "drafts" not in done.said.replace(said, "")


def test_without_subfolders_a_pattern_for_them_is_no_mistake(workspace: Workspace) -> None:
    workspace.add("in it.jpg", parent=workspace.cloud.drive("folder", name="drafts"))
    workspace.add("kept.jpg")
    workspace.run(exclude="drafts/*,drafts/", recursive=False).succeeded()
    assert workspace.statuses() == {"kept.jpg": "uploaded"}
