"""A service account that reads somebody's Drive (domain-wide delegation)."""

from __future__ import annotations

import pytest

from drive2cloudinary.drive.drive_api import Drive
from drive2cloudinary.settings import Settings
from tests.harness import Workspace

USER = "ann@company.example"


def test_a_service_account_reads_the_drive_of_the_user_that_impersonate_names(workspace: Workspace) -> None:
    cloud = workspace.cloud
    cloud.oauth(delegate=[USER])
    workspace.add("one.jpg")
    workspace.run(token=cloud.service_account, impersonate=USER).succeeded()
    workspace.audit()
    settings = {"token": cloud.service_account, "impersonate": USER}
    assert Drive.of(Settings.from_json(workspace.settings(**settings))).account() == f"{USER} <{USER}>"
    own = Drive.of(Settings.from_json(workspace.settings(token=cloud.service_account))).account()
    assert own.endswith("gserviceaccount.com>")


@pytest.mark.parametrize(
    ("allowed", "said"),
    [([], "unauthorized_client"), (["bob@company.example"], "Invalid email or User ID")],
    ids=["no delegation", "another user"],
)
def test_a_user_whose_drive_it_may_not_read_is_one_line(workspace: Workspace, allowed: list[str], said: str) -> None:
    workspace.cloud.oauth(delegate=allowed)
    workspace.run(token=workspace.cloud.service_account, impersonate=USER).refused(
        f"may not read the Drive of {USER}", "administrator", "drive.readonly", said
    )


def test_impersonate_needs_a_service_account_and_an_address(workspace: Workspace) -> None:
    workspace.run(impersonate=USER).refused("impersonate needs a service account's key", workspace.cloud.token)
    workspace.run(token=workspace.cloud.service_account, impersonate="ann").refused("wrong setting impersonate")


def test_a_service_accounts_key_that_is_refused_says_so(workspace: Workspace) -> None:
    refused = {"error": {"status": 400, "reason": "invalid_grant", "message": "Invalid JWT Signature."}}
    workspace.cloud.faults([{"on": "oauth.token", "do": refused, "times": None}])
    workspace.run(token=workspace.cloud.service_account).refused("service account's key", "make a new one")
