"""Runs on any machine, as any user; where that is impossible, the run says why."""

from __future__ import annotations

import os

import pytest

from tests import needs
from tests.harness import Workspace

WITHOUT_CAPABILITIES = "-dac_override,-dac_read_search"
ORDINARY = (
    ("setpriv", f"--bounding-set={WITHOUT_CAPABILITIES}", f"--inh-caps={WITHOUT_CAPABILITIES}")
    if os.geteuid() == 0
    else ()
)
"""For root, permissions count as for any user."""
UNKNOWN = ("setpriv", "--reuid=12345", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
"""A user whom nobody knows, as containers have them; who may write here nevertheless."""


def shell(line: str) -> tuple[str, ...]:
    """What runs the command as the shell's "$@"."""
    return ("bash", "-c", line, "bash")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("results/ID/markers", ("markers", "cannot be written to", "Permission denied")),
        ("results", ("results", "Permission denied")),
        ("results/ID/logs", ("logs", "Permission denied")),
        ("results/ID/failures", ("cannot be written to", "Permission denied")),
        (".", ("cannot be written to", "run it in a folder of your own")),
    ],
)
def test_what_cannot_be_written_is_the_reason_that_is_said(
    workspace: Workspace, folder: str, said: tuple[str, ...]
) -> None:
    workspace.add("one.jpg", "two.jpg")
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    path = workspace.path / folder.replace("ID", workspace.cloud.folder_id)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o555)
    workspace.within = ORDINARY
    done = workspace.run().failed()
    assert any(all(fragment in line for fragment in said) for line in done.lines), done.said
    assert len(done.lines) <= 8, done.said
    workspace.path.chmod(0o755)


NOBODY = ("env", "-u", "USER", "-u", "LOGNAME")


@pytest.mark.parametrize(
    "within", [(*UNKNOWN, *NOBODY, "HOME=/"), (*NOBODY, "-u", "HOME")], ids=["unknown", "homeless"]
)
def test_who_is_unknown_or_has_no_home_moves_images_as_anybody(workspace: Workspace, within: tuple[str, ...]) -> None:
    if within[0] == UNKNOWN[0]:
        needs.need(needs.ROOT)
    workspace.add("one.jpg")
    workspace.within = within
    workspace.run().succeeded()
    workspace.audit()


@pytest.mark.parametrize("line", ['"$@" >/dev/full', '"$@" >&- 2>&-', '"$@" 2>&1 | head -1'])
def test_closed_output_does_not_stop_uploads(workspace: Workspace, line: str) -> None:
    workspace.add("one.jpg", "two.jpg")
    workspace.within = shell(line)
    if "head" in line:
        assert "Traceback" not in workspace.dry_run().said
    done = workspace.run()
    assert "Traceback" not in done.said
    workspace.audit()
