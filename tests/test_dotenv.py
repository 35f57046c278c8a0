"""Cloudinary's credentials out of .env: from the user's own file in the working directory, and nothing else of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from drive2cloudinary import mounts
from drive2cloudinary.cloudinary.account import NAMES, check_credentials
from drive2cloudinary.drive.token_file import token_warnings
from drive2cloudinary.errors import StopRun
from tests import needs
from tests.harness import Workspace


@pytest.fixture
def bare(workspace: Workspace) -> Workspace:
    """A working directory with an image to move, and no Cloudinary credentials in the environment."""
    workspace.environment["CLOUDINARY_URL"] = ""
    workspace.add("one.jpg")
    return workspace


def test_only_cloudinarys_variables_are_taken(bare: Workspace) -> None:
    """What else is in it can run no code and lead no call through a proxy."""
    spoiled = bare.path / "spoiled"
    script = bare.path / "script.sh"
    script.write_text(f"touch {spoiled}\n")
    (bare.path / ".env").write_text(
        f"BASH_ENV={script}\n"
        f"LD_PRELOAD={bare.path}/none.so\n"
        "HTTPS_PROXY=http://127.0.0.1:9\nHTTP_PROXY=http://127.0.0.1:9\n"
        f"CLOUDINARY_URL='{bare.cloud.cloudinary_url}'\n"
    )
    done = bare.run().succeeded()
    bare.audit()
    assert not spoiled.exists()
    assert "none.so" not in done.said


URL = "cloudinary://123:aB-c_d@cloud?upload_prefix=http://127.0.0.1:1"


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no credentials in the environment; what is set there is taken out again."""
    for name in NAMES:
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_values_are_taken_word_for_word(in_process: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other variable is pulled in."""
    monkeypatch.setenv("ELSEWHERE", "secret-of-another")
    (in_process / ".env").write_text(
        "CLOUDINARY_CLOUD_NAME=${ELSEWHERE}\nCLOUDINARY_API_KEY=$ELSEWHERE\nCLOUDINARY_API_SECRET='a${ELSEWHERE:-b}'\n"
    )
    assert check_credentials() == "${ELSEWHERE}"
    assert (os.environ["CLOUDINARY_API_KEY"], os.environ["CLOUDINARY_API_SECRET"]) == ("$ELSEWHERE", "a${ELSEWHERE:-b}")


@pytest.mark.parametrize(
    "written",
    [
        URL,
        f"  {URL} \r\n",
        f"'{URL}'\r",
        f"“{URL}”",
        f"export CLOUDINARY_URL='{URL}'",
        f'CLOUDINARY_URL="CLOUDINARY_URL={URL}"',
        f"\ufeffCLOUDINARY_URL = {URL};",
        URL.replace("aB-c_d", "aB%2Dc%5Fd"),
    ],
)
def test_what_was_copied_along_with_an_address_does_not_matter(
    in_process: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """In the environment, and in each form of a .env file."""
    monkeypatch.setenv("CLOUDINARY_URL", written)
    assert check_credentials() == "cloud" and os.environ["CLOUDINARY_URL"] == URL
    line = f"# mine\nexport CLOUDINARY_URL = {written.strip()}\n"
    for content in (line.encode(), line.replace("\n", "\r\n").encode("utf-8-sig"), line.encode("utf-16")):
        monkeypatch.setenv("CLOUDINARY_URL", " ")
        (in_process / ".env").write_bytes(content)
        assert check_credentials() == "cloud" and os.environ["CLOUDINARY_URL"] == URL


def test_of_three_variables_nothing_that_was_copied_along_matters_either(
    in_process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDINARY_CLOUD_NAME", "'cloud' ")
    monkeypatch.setenv("CLOUDINARY_API_KEY", "123\r")
    monkeypatch.setenv("CLOUDINARY_API_SECRET", 'CLOUDINARY_API_SECRET="aB-c_d"')
    assert check_credentials() == "cloud"
    assert (os.environ["CLOUDINARY_API_KEY"], os.environ["CLOUDINARY_API_SECRET"]) == ("123", "aB-c_d")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "there are no Cloudinary credentials: set CLOUDINARY_URL="),
        ({"CLOUDINARY_URL": "cloudinary://key@cloud"}, "CLOUDINARY_URL is not complete"),
        ({"CLOUDINARY_URL": "https://cloudinary.com"}, "CLOUDINARY_URL is not complete"),
        (
            {"CLOUDINARY_CLOUD_NAME": "cloud", "CLOUDINARY_API_KEY": "key"},
            "CLOUDINARY_API_KEY or CLOUDINARY_API_SECRET is missing",
        ),
        (
            {"CLOUDINARY_URL": "CLOUDINARY_URL=cloudinary://<your_api_key>:<your_api_secret>@cloud"},
            "CLOUDINARY_URL has angle brackets: put your account's values ",
        ),
        ({"CLOUDINARY_URL": "cloudinary://123:<secret-of-mine>@cloud"}, "CLOUDINARY_URL has angle brackets"),
        ({"CLOUDINARY_CLOUD_NAME": "<cloud name>"}, "CLOUDINARY_CLOUD_NAME has angle brackets"),
    ],
)
def test_what_is_not_complete_is_said_and_never_shown(
    in_process: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StopRun, match=f"^{said}") as caught:
        check_credentials()
    assert "secret-of-mine" not in str(caught.value)


def test_where_chmod_has_no_effect_another_way_is_named(in_process: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a drive of Windows in WSL, whose files all users may change; it stays refused."""
    (in_process / "mounts").write_text(f"C: {in_process} 9p rw,aname=drvfs;path=C:;uid=1000,access=client 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", in_process / "mounts")
    for name in (".env", "token.json"):
        (in_process / name).write_text(f"CLOUDINARY_URL={URL}\n")
        (in_process / name).chmod(0o777)
    with pytest.raises(StopRun, match=f"can be changed by other users: chmod has no effect on {in_process}, so set CL"):
        check_credentials()
    (warning,) = token_warnings(Path("token.json"))
    assert warning == (
        f"token.json can be read by other users: chmod has no effect on {in_process}, so keep it in your Linux home: "
        "token=~/token.json"
    )
    (in_process / "token.json").chmod(0o600)
    assert token_warnings(Path("token.json")) == []


def test_an_exported_address_wins_wholly(bare: Workspace) -> None:
    bare.environment["CLOUDINARY_URL"] = bare.cloud.cloudinary_url
    (bare.path / ".env").write_text(
        "CLOUDINARY_CLOUD_NAME=another\nCLOUDINARY_API_KEY=key\nCLOUDINARY_API_SECRET=secret\n"
    )
    bare.run().succeeded()
    bare.audit()


def test_dotenv_of_a_parent_folder_is_not_read(bare: Workspace) -> None:
    (bare.path.parent / ".env").write_text(f"CLOUDINARY_URL={bare.cloud.cloudinary_url}\n")
    bare.run().refused("there are no Cloudinary credentials")


def of_another(path: Path) -> None:
    needs.need(needs.ROOT)
    os.chown(path, 65534, 65534)


def writable_by_the_group(path: Path) -> None:
    needs.need(needs.ROOT)
    path.chmod(0o620)
    os.chown(path, -1, 65534)


def instead(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "writable by the group": (writable_by_the_group, "chmod go-w .env"),
    "writable by all": (lambda path: path.chmod(0o602), "chmod go-w .env"),
    "of another user": (of_another, "belongs to another user"),
    "a pipe": (instead(os.mkfifo), "is not a file"),
    "a folder": (instead(Path.mkdir), "is not a file"),
    "bytes": (lambda path: path.write_bytes(b"CLOUDINARY_URL=\xff\n"), "is not text"),
    "with a NUL": (lambda path: path.write_bytes(b"CLOUDINARY_URL=a\0b\n"), "is not text"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_others_can_have_written_is_refused(in_process: Path, what: str) -> None:
    spoil, said = REFUSED[what]
    path = in_process / ".env"
    path.write_text("CLOUDINARY_URL=cloudinary://key:secret@cloud\n")
    spoil(path)
    with pytest.raises(StopRun, match=re.escape(said)):
        check_credentials()
    assert not os.environ["CLOUDINARY_URL"]


def test_refused_dotenv_is_one_line(bare: Workspace) -> None:
    (bare.path / ".env").write_text(f"CLOUDINARY_URL={bare.cloud.cloudinary_url}\n")
    of_another(bare.path / ".env")
    bare.run().refused(".env", "belongs to another user")
