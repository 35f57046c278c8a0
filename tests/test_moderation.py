"""What moderation says of an image is kept, and said by every run."""

from __future__ import annotations

import json

from tests.harness import Workspace, packed_in

NOTHING = "to do: nothing, all images are where they should be"


def test_a_rejected_image_is_said_in_row_summary_report_and_exit_code_by_every_run(workspace: Workspace) -> None:
    workspace.cloud.settings(verdicts={"aws_rek": "rejected"})
    (first,) = workspace.add("one.jpg")
    upload = "{moderation: 'aws_rek|manual'}"
    done = workspace.run(upload=upload)
    done.failed()
    workspace.agreed(done)
    workspace.cloud.settings(verdicts={"aws_rek": "approved", "manual": "approved"})
    workspace.add("two.jpg")
    again = workspace.run(upload=upload)
    again.failed()
    nothing_new = workspace.run(upload=upload)
    nothing_new.failed()
    workspace.agreed(nothing_new)
    assert "nothing has changed since the last run" in nothing_new.said
    for each in (done, again, nothing_new):
        each.line("to do: 1 image rejected by moderation", "delete its marker")
        assert NOTHING not in each.said and "moderation: " not in each.said
    rows = {row["filename"]: row for row in workspace.mapping()}
    assert rows["one.jpg"]["status"] == rows["two.jpg"]["status"] == "uploaded"
    assert rows["one.jpg"]["error"] == "rejected by moderation (aws_rek): Cloudinary may not deliver it"
    assert rows["two.jpg"]["error"] == ""
    kept = {each["drive"]["name"]: each["cloudinary"]["moderation"] for each in workspace.markers().values()}
    assert kept["one.jpg"] == {"aws_rek": "rejected", "manual": "pending"}
    report = workspace.results / "report.html"
    assert "1 image was rejected by moderation" in report.read_text() and "aws_rek" in packed_in(report)

    # Approved in the media library, and looked at again, as the line says.
    (workspace.results / "markers" / f"{first}.{rows['one.jpg']['md5']}.json").unlink()
    workspace.run(upload=upload).succeeded()
    assert {row["error"] for row in workspace.mapping()} == {""}


def test_an_excluded_one_counts_no_more_and_one_that_is_undecided_is_a_count(workspace: Workspace) -> None:
    workspace.cloud.settings(verdicts={"aws_rek": "rejected"})
    workspace.add("one.jpg")
    workspace.run(upload="{moderation: aws_rek}").failed()
    workspace.add("two.jpg")
    done = workspace.run(upload="{moderation: manual}", exclude=json.dumps(["one*"]))
    done.succeeded()
    workspace.agreed(done)
    done.line("moderation: 1 image not decided when stored")
    done.line(NOTHING)
    errors = {row["filename"]: row["error"] for row in workspace.mapping()}
    assert errors["one.jpg"].startswith("excluded; rejected by moderation")
    assert errors["two.jpg"] == "moderation had not decided (manual) when it was stored"
    assert "Moderation had not decided about 1 image" in (workspace.results / "report.html").read_text()
