"""Settings: every form in which a folder, a switch or a list can be given, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from snakemake import cli

import snakemake_logger_plugin_drive2cloudinary  # noqa: F401 - Snakemake imports it before it reads --config
from drive2cloudinary.configuration import need_unique_keys
from drive2cloudinary.errors import MigrationError
from drive2cloudinary.settings import SETTABLE, Settings, Upload, folder_of
from tests.harness import ROOT

ID = "1aB_c-D2"
DEFAULTS: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
DRIVE = "https://drive.google.com"


def settings(*typed: str) -> Settings:
    """The settings of `snakemake --config` with these pairs, as Snakemake itself parses them."""
    return Settings.from_config({**DEFAULTS, **cli.parse_config(typed)}, ROOT / "config.schema.yaml", typed)


def configured(text: str) -> Settings:
    """The settings of a config.yaml that has these lines."""
    return Settings.from_config({**DEFAULTS, **yaml.safe_load(text)}, ROOT / "config.schema.yaml")


def typed(line: str) -> Settings:
    """The settings of `snakemake --config` with one pair. In: the line as in config.yaml."""
    return settings(line.replace(": ", "=", 1))


reads = pytest.mark.parametrize("read", [configured, typed], ids=["config.yaml", "--config"])


@pytest.mark.parametrize(
    ("text", "folder", "key"),
    [
        (ID, ID, ""),
        (f"  {ID}\n", ID, ""),
        (f"{DRIVE}/drive/folders/{ID}", ID, ""),
        (f"{DRIVE}/drive/folders/{ID}/", ID, ""),
        (f"{DRIVE}/drive/folders/{ID}?usp=drive_link&resourcekey=0-xY_z", ID, "0-xY_z"),
        (f"{DRIVE}/drive/folders/{ID}?resourcekey=0-xY_z#list", ID, "0-xY_z"),
        (f"{DRIVE}/drive/u/12/folders/{ID}?hl=de", ID, ""),
        (f"{DRIVE}/open?id={ID}&resourcekey=0-k", ID, "0-k"),
        (f"{DRIVE}/folderview?id={ID}&usp=sharing", ID, ""),
        (f"{DRIVE}/a/example.com/folderview?id={ID}", ID, ""),
        (f"{DRIVE}/#folders/1Parent/{ID}", ID, ""),
        (f"{DRIVE}/drive/u/0/#folders/1Parent/2Child/{ID}?usp=drivesdk", ID, ""),
        (f"http://drive.google.com/drive/folders/{ID}", ID, ""),
        (f"drive.google.com/drive/folders/{ID}", ID, ""),
        (f"{DRIVE}/drive/u/1/my-drive", "root", ""),
        (f"{DRIVE}/drive/#my-drive", "root", ""),
        (f"{DRIVE}/drive/u/1/mobile/folders/1Parent/2Child/{ID}/?resourcekey=0-k", ID, "0-k"),
        (f"https://m.google.com/drive/mobile/folders/{ID}", ID, ""),
        (f"{DRIVE}/embeddedfolderview?id={ID}#grid", ID, ""),
        (f"https://www.google.com/url?q={DRIVE}/drive/folders/{ID}%3Fusp%3Dsharing&sa=D", ID, ""),
        (f"<{DRIVE}/drive/folders/{ID}>", ID, ""),
        (f"“{DRIVE}/drive/folders/{ID}”", ID, ""),
        (f"({DRIVE}/open?id={ID}).", ID, ""),
        (f"\u200b{DRIVE}/drive/folders/{ID}\u00a0", ID, ""),
        (f'"{ID}",', ID, ""),
        ("root", "root", ""),
        ("-_", "-_", ""),
        (" ", "", ""),
    ],
)
def test_a_folder_is_known_in_every_form_that_drive_shows(text: str, folder: str, key: str) -> None:
    assert folder_of(text) == (folder, key)


def test_what_is_no_folder_is_a_line_and_never_a_path() -> None:
    paths = ["mobile/folders/A/B C", "recent", "folders/", "folders/..%2F..%2Fetc"]
    hosts = ["drive.google.com.example.com", "notgoogle.com", "["]
    for text in [
        *("../x", "..", "<>", "my folder", "ID\nID", "東京", f"{DRIVE}/open?id=../../etc"),
        *(f"{DRIVE}/drive/{path}" for path in paths),
        *(f"https://{host}/drive/folders/{ID}" for host in hosts),
        "https://www.google.com/url?q=https://example.com/folders/A",
    ]:
        with pytest.raises(MigrationError, match="neither a Drive folder's ID nor its URL") as caught:
            folder_of(text)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1e5", "007", "12345", "0x10", "1_000", "true", "null", "2024-01-01", "No"])
def test_an_id_and_a_folder_name_are_texts_whatever_yaml_makes_of_them(text: str) -> None:
    assert settings(f"folder_id={text}").folder_id == text
    assert settings(f"folder_name={text}").folder_name == text
    assert settings(f"folder_name='{text}'").folder_name == text, "as in the command of a job"


NOT_AS_TYPED_FOR_YAML = ["#1", "a #b", " ", "!a", "- a", "[a] b", "[a]: [b]", "a: b", "{a", "*a", "&a b", "%a", "@a"]
NOT_AS_TYPED_FOR_YAML += ["`a", "|", "? a", "it's", "the 'best'", '"a" b "c"', "null", "007", "---"]


@pytest.mark.parametrize("text", NOT_AS_TYPED_FOR_YAML)
def test_texts_are_taken_as_typed(text: str) -> None:
    for quoted in [text] + [f"{quote}{text}{quote}" for quote in "'\"" if quote not in text]:
        given = settings(
            f"folder_id={ID}", *(f"{key}={quoted}" for key in ("folder_name", "exclude", "folders", "assets"))
        )
        assert (given.folder_name, given.folders, given.assets) == (text.strip(), text.strip() or (), text.strip())
        assert given.exclude == ((text,) if text.strip() else ())
        assert Settings.from_json(given.to_json()) == replace(given, folders=())


def test_patterns_are_separated_by_commas_or_a_list_of_yaml() -> None:
    meant = {
        "": (),
        "[]": (),
        " a , #b ,, - c ": ("a", "#b", "- c"),
        "Trip #2/*,!x,[2024] Trip/*": ("Trip #2/*", "!x", "[2024] Trip/*"),
        '["a,b/*", c]': ("a,b/*", "c"),
        ' ["#a", 007] ': ("#a", "007"),
        "[2024]": ("2024",),
        "'[2024]'": ("[2024]",),
        "[a] b, [c]": ("[a] b", "[c]"),
        "'a b','c'": ("'a b'", "'c'"),
    }
    assert {typed: settings(f"exclude={typed}").exclude for typed in meant} == meant


@pytest.mark.parametrize("setting", ["folder_id", "folder_name", "results", "folders_link_column", "exclude"])
@pytest.mark.parametrize(("written", "read"), [("2024_01", "202401"), ("12:30", "750"), ("No", "False")])
def test_a_text_in_config_yaml_that_yaml_takes_for_another_has_to_stand_in_quotes(
    setting: str, written: str, read: str
) -> None:
    value = f"[a, {written}]" if setting == "exclude" else written
    with pytest.raises(MigrationError) as caught:
        configured(f"{setting}: {value}")
    assert str(caught.value) == f"wrong setting {setting}: YAML reads it as {read}, not as text: put it into quotes"
    if setting not in ("folder_id", "exclude"):
        assert getattr(configured(f"{setting}: '{written}'"), setting) == written


def test_switches_are_taken_as_people_write_them() -> None:
    for words, value in ((("true", "True", "yes", "on"), True), (("false", "False", "no"), False)):
        for word in words:
            assert settings(f"recursive={word}").recursive is value
            assert settings(f"overwrite={word}").overwrite is value


def test_a_list_may_be_one_text() -> None:
    assert settings("include=image/png").include == ("image/png",)
    assert settings("include=[image/png, image/gif]").include == ("image/png", "image/gif")


def test_what_goes_along_is_text_however_it_is_written() -> None:
    upload = "upload: {tags: 2026, context: {1: 2.5}, metadata: {a: [1, b]}, upload_preset: 7, moderation: }"
    assert configured(upload).upload == Upload(("2026",), {"1": "2.5"}, {"a": ["1", "b"]}, "7")
    assert settings("upload={tags: [1, '#b'], context: {1: 2.5}}").upload == Upload(("1", "#b"), {"1": "2.5"})
    assert settings("upload=").upload == settings("upload={}").upload == Upload()
    with pytest.raises(MigrationError, match="wrong setting upload.context.a"):
        configured("upload: {context: {a: true}}")


WHOLE = ("limit", "max_bytes", "uploads_at_once", "images_per_job", "folders_per_query", "retries")
SECONDS = ("timeout", "patience")


@reads
def test_a_number_is_understood_however_it_is_written(read: Any) -> None:
    for name in (*WHOLE, *SECONDS):
        for written in ("5", "5.0", "5e0", ".5e1", "'5'", '"5.0"', "0_5", "+5"):
            value = getattr(read(f"{name}: {written}"), name)
            assert value == 5 and (name in SECONDS or type(value) is int), (name, written)
    assert read("drive_units_per_minute: 1.2e6").drive_units_per_minute == 1_200_000
    assert read("timeout: 2.5").timeout == 2.5


@reads
def test_what_is_no_number_that_can_be_meant_is_a_line_that_names_the_setting(read: Any) -> None:
    wrong = ("nan", ".nan", "-inf", ".inf", "1e400", "-5", "-1e3", "five", "true", "[5]", "{a: 5}", "5 images", "5,5")
    lines = [f"{name}: {each}" for name in (*WHOLE, *SECONDS, "drive_units_per_minute") for each in wrong]
    lines += [f"{name}: 5.5" for name in WHOLE]
    lines += ["limit: 0", "limit: 0.0", "timeout: 0", "timeout: 1e9", "patience: 1e30", "drive_units_per_minute: 100"]
    for line in lines:
        with pytest.raises(MigrationError, match=f"^wrong setting {line.partition(':')[0]}: ") as caught:
            read(line)
        assert "\n" not in str(caught.value)


@reads
@pytest.mark.parametrize("name", ["token", "credentials", "results", "assets", "folders"])
def test_a_path_may_begin_in_the_home_folder(read: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert getattr(read(f"{name}: ~/a b/c.json"), name) == "/home/ann/a b/c.json"
    assert getattr(read(f"{name}: ./~/c.json"), name).endswith("~/c.json"), "a folder of that name"
    with pytest.raises(MigrationError, match=f"^wrong setting {name}: there is no home folder ~nobody-of-this-name: "):
        read(f"{name}: ~nobody-of-this-name/c.json")


def test_results_have_no_braces_in_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for written in ("a{b}", "/a/{folder}/b", "a}"):
        with pytest.raises(MigrationError, match="^wrong setting results: .* has braces, which Snakemake takes"):
            configured(f"results: '{written}'")
    monkeypatch.setenv("HOME", "/home/{ann}")
    with pytest.raises(MigrationError, match="^wrong setting results: /home/{ann}/out has braces"):
        typed("results: ~/out")


def test_a_results_folder_is_one_however_it_is_written() -> None:
    assert {settings(f"results={each}").results for each in ("out", "out/", "./out", "out//", "./out/.")} == {"out"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("limit: 1\ntoken: a\nlimit: 2\n", "config.yaml, line 3: limit is set twice"),
        ("limit: 1\n'limit': 1\n", "config.yaml, line 2: limit is set twice"),
        ("upload:\n  tags: [a]\n  tags: [b]\n", "config.yaml, line 3: tags is set twice"),
        ("trust_checksum: {1: true, '1': false}", "config.yaml: 1 is set twice"),
        ("folders:\n- folder_id: a\n  folder_id: b\n", "config.yaml, line 3: folder_id is set twice"),
    ],
)
def test_a_key_that_stands_twice_is_one_line(text: str, what: str) -> None:
    """YAML keeps the last one without a word."""
    with pytest.raises(MigrationError, match=f"^{what}: leave one of the two out$"):
        need_unique_keys(text, "config.yaml")


def test_keys_of_different_mappings_may_be_the_same() -> None:
    for text in ("a: &x {b: 1}\nc: &y {b: 2}\nd: {<<: *x, b: 3}\n", "&a [*a]", "- a\n- a\n", "a: [", ""):
        need_unique_keys(text, "config.yaml")


def test_a_setting_that_is_typed_twice_is_one_line() -> None:
    for pairs, what in (
        (("limit=1", "retries=2", "limit=2"), "limit is set twice on the command line"),
        (("upload={tags: a, tags: b}",), "wrong setting upload: tags is set twice"),
    ):
        with pytest.raises(MigrationError, match=f"^{what}: leave one of the two out$"):
            settings(*pairs)


def test_config_yaml_names_every_setting_and_says_its_default() -> None:
    assert Settings.from_config(DEFAULTS, ROOT / "config.schema.yaml") == Settings()
    assert set(DEFAULTS) == set(Settings.__dataclass_fields__) - {"resource_key", "results_name", "copied_alone"}
    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text())
    assert set(schema["properties"]) == set(DEFAULTS) == set(SETTABLE)
    assert all(each.get("description") for each in schema["properties"].values())


def test_settings_survive_the_command_line_of_a_script() -> None:
    given = settings(
        f"folder_id={ID}", 'folder_name=it\'s "quoted" 東京', "exclude=['a b/*', $HOME]", "upload={tags: [é]}"
    )
    assert Settings.from_json(given.to_json()) == given


@pytest.mark.parametrize(
    ("typed", "fragments"),
    [
        ("folder-id=x", ("folder-id", "did you mean folder_id?")),
        ("Recursive=true", ("Recursive", "did you mean recursive?")),
        ("resource_key=x", ("unknown setting 'resource_key'; config.yaml",)),
        ("zzzzzz=1", ("unknown setting 'zzzzzz'", "config.yaml")),
        ("recursive=perhaps", ("wrong setting recursive", "perhaps", "boolean")),
        ("recursive=1", ("wrong setting recursive",)),
        ("retries=many", ("wrong setting retries", "'many'", "integer")),
        ("upload=x", ("wrong setting upload",)),
        ("upload={tag: a}", ("unknown setting 'upload.tag'", "did you mean tags?")),
        ("upload={eager: a}", ("unknown setting 'upload.eager'", "these can be set: tags, context")),
        ("upload={transformation: w_10}", ("upload.transformation cannot be set", "would change the stored bytes")),
        ("upload={format: jpg}", ("upload.format cannot be set", "would change the stored bytes")),
        ("upload={context: {drive_id: x}}", ("upload.context.drive_id cannot be set",)),
        ("upload={context: [a]}", ("wrong setting upload.context",)),
        ("upload={context: {a: ''}}", ("wrong setting upload.context.a",)),
        ("upload={context: {a=b: c}}", ("wrong setting upload.context", "a=b")),
        ("upload={tags: [a, 'b,c']}", ("wrong setting upload.tags", "'b,c' has a comma")),
        ("upload={tags: '{name}'}", ("wrong setting upload.tags", "only {folder} and {path} may stand in braces")),
        ("upload={type: public}", ("wrong setting upload.type", "public")),
        ("upload={upload_preset: [a]}", ("wrong setting upload.upload_preset",)),
        ("include=", ("wrong setting include: it names no MIME type",)),
        ("include=[[1]]", ("wrong setting include", "YAML reads it as ['1'], not as text")),
        ("include=[image/*, Video/mp4]", ("wrong setting include", "Video/mp4", "only images are moved")),
        ("results=", ("wrong setting results",)),
        ("drive_endpoint=localhost", ("wrong setting drive_endpoint", "localhost")),
        ("drive_endpoint=https://x/drive/v3", ("wrong setting drive_endpoint",)),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(typed: str, fragments: tuple[str, ...]) -> None:
    with pytest.raises(MigrationError) as caught:
        settings(f"folder_id={ID}", typed)
    line = str(caught.value)
    assert all(fragment in line for fragment in fragments), line
    assert "\n" not in line and len(line) < 400
