"""What moderation says of an image is kept, and said by every run."""

from __future__ import annotations

import json

from tests.harness import NOTHING_TO_DO, Workspace, packed_in


def test_a_rejected_image_is_said_in_row_summary_report_and_exit_code_by_every_run(workspace: Workspace) -> None:
    workspace.cloud.settings(verdicts={"aws_rek": "rejected"})
    (first,) = workspace.add("one.jpg")
    for number in range(3):
        # The third run finds nothing new.
        done = workspace.run(upload="{moderation: 'aws_rek|manual'}").failed()
        (to_do,) = workspace.agreed(done).to_do
        assert to_do.startswith("1 image rejected by moderation") and "delete its marker" in to_do
        assert ("nothing has changed since the last run" in done.said) == (number == 2)
        if not number:
            workspace.cloud.settings(verdicts={"aws_rek": "approved", "manual": "approved"})
            workspace.add("two.jpg")
    rows = {row["filename"]: row for row in workspace.mapping()}
    assert rows["one.jpg"]["status"] == rows["two.jpg"]["status"] == "uploaded"
    assert rows["one.jpg"]["error"] == "rejected by moderation (aws_rek): Cloudinary may not deliver it"
    assert rows["two.jpg"]["error"] == ""
    report = workspace.results / "report.html"
    assert "1 image was rejected by moderation" in report.read_text() and "aws_rek" in packed_in(report)

    # Approved in the media library, and looked at again, as the line says.
    (workspace.results / "markers" / f"{first}.{rows['one.jpg']['md5']}.json").unlink()
    workspace.run(upload="{moderation: 'aws_rek|manual'}").succeeded()
    assert {row["error"] for row in workspace.mapping()} == {""}


def test_excluded_rejected_image_fails_no_run_and_undecided_ones_are_counted(workspace: Workspace) -> None:
    workspace.cloud.settings(verdicts={"aws_rek": "rejected"})
    workspace.add("one.jpg")
    workspace.run(upload="{moderation: aws_rek}").failed()
    workspace.add("two.jpg")
    done = workspace.run(upload="{moderation: manual}", exclude=json.dumps(["one*"])).succeeded()
    assert workspace.agreed(done).to_do == NOTHING_TO_DO
    done.line("moderation: 1 image not decided when stored")
    errors = {row["filename"]: row["error"] for row in workspace.mapping()}
    assert errors["one.jpg"].startswith("excluded; rejected by moderation")
    assert errors["two.jpg"] == "moderation had not decided (manual) when it was stored"
