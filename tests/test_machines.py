"""Runs on any machine, as any user; where that is impossible, the run says why."""

from __future__ import annotations

import os
from collections.abc import Callable

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


def without_markers(workspace: Workspace) -> None:
    (workspace.results / "markers").mkdir(parents=True)
    (workspace.results / "markers").chmod(0o555)
    workspace.within = ORDINARY


def without_results(workspace: Workspace) -> None:
    (workspace.path / "results").mkdir()
    (workspace.path / "results").chmod(0o555)
    workspace.within = ORDINARY


def without_logs(workspace: Workspace) -> None:
    (workspace.results / "logs").mkdir(parents=True)
    (workspace.results / "logs").chmod(0o555)
    workspace.within = ORDINARY


def without_failures(workspace: Workspace) -> None:
    workspace.cloud.drive("add", name="no picture.jpg", content_base64="AAAA", parent="")
    (workspace.results / "failures").mkdir(parents=True)
    (workspace.results / "failures").chmod(0o555)
    workspace.within = ORDINARY


def without_working_directory(workspace: Workspace) -> None:
    workspace.path.chmod(0o555)
    workspace.within = ORDINARY


SAID: dict[Callable[[Workspace], None], tuple[str, ...]] = {
    without_markers: ("markers", "cannot be written to", "Permission denied"),
    without_results: ("results", "Permission denied"),
    without_logs: ("logs", "Permission denied"),
    without_failures: ("cannot be written to", "Permission denied"),
    without_working_directory: ("cannot be written to", "run it in a folder of your own"),
}


@pytest.mark.parametrize("spoil", SAID, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_written_is_the_reason_that_is_said(
    workspace: Workspace, spoil: Callable[[Workspace], None]
) -> None:
    workspace.add("one.jpg", "two.jpg")
    spoil(workspace)
    done = workspace.run()
    done.failed()
    assert any(all(fragment in line for fragment in SAID[spoil]) for line in done.lines), done.said
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
def test_output_that_nobody_takes_keeps_no_image_from_being_moved(workspace: Workspace, line: str) -> None:
    workspace.add("one.jpg", "two.jpg")
    workspace.within = shell(line)
    if "head" in line:
        assert "Traceback" not in workspace.dry_run().said
    done = workspace.run()
    assert "Traceback" not in done.said
    workspace.audit()
