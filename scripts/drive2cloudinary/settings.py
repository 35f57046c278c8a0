"""The user's settings, from config.yaml and `--config`, checked and typed."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints
from urllib.parse import parse_qs, urlparse

from drive2cloudinary import configuration
from drive2cloudinary.errors import MigrationError, one_line
from drive2cloudinary.files import md5_of

ID = r"[A-Za-z0-9_-]+"
"""The pattern of Drive's IDs. They become file names here, so no other text is accepted as an ID."""
AROUND_URL = " \t\r\n\u00a0\u200b\u200e\u200f\u2060\ufeff<>()[]\"'`“”„‘’«»‹›.,;:!"
"""What gets copied along with a URL: white space, also of no width, brackets, quotes, the punctuation of a sentence."""
RESULTS_NAME = f"{ID}(@{ID})?"
"""The pattern of the names of results folders."""
_PATH = {"is_path": True}
"""A file or folder: ~ is the home folder."""
_OF_LISTING = {"is_of_listing": True}
"""The images of a listing, or their names, depend on it."""
_COMPUTED = {"is_computed": True}
"""No user can set it."""
FREE_PLAN = 10 * 1024 * 1024
"""Bytes: the largest image that Cloudinary's free plan accepts."""
FREE_PLAN_PIXELS = 25_000_000
"""The largest image of which Cloudinary's free plan makes a JPG or a thumbnail."""
FOLDERS_PER_QUERY = 22
"""The most Drive folders in one query. With IDs of 33 characters, a shared drive's ID and a page token of 120
characters, the URL stays below 2,048 characters; Google's client would send a longer one as a POST."""

PLACEHOLDERS = ("folder", "path")
"""What may stand in braces in a tag: the name of the image's Drive folder, and its path."""
ALTERING = ("transformation", "format")
"""Upload parameters that would change the stored bytes."""


@dataclass(frozen=True)
class Upload:
    """What goes along with each upload: parameters of Cloudinary's Upload API, by their own names.

    tags: may have PLACEHOLDERS. metadata: structured metadata, external ID of the field → value or values. type: how
    the assets are delivered. Facts: https://cloudinary.com/documentation/image_upload_api_reference#upload.
    """

    tags: tuple[str, ...] = ()
    context: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str | list[str]] = field(default_factory=dict)
    upload_preset: str = ""
    type: Literal["upload", "private", "authenticated"] = "upload"
    moderation: str = ""


@dataclass(frozen=True)
class Settings:
    """The settings of one run; the fields are the keys of config.yaml.

    folder_id: the bare ID, "" if none was given. resource_key: from a folder's URL, "" if it has none. results_name:
    the name of the results folder, "" for the ID (plan/results_folders.py). copied_alone: the IDs of Drive folders that
    another migration of the run copies, so that this one does not enter them (plan/nested.py). folder_name: "" for the
    Drive folder's own name. timeout: in seconds. folders, for a run of many Drive folders: the name of a CSV file or
    the list in config.yaml; `plan/drive_folders.py` reads it, with the three settings after it. assets: the name of a
    CSV file, "" for none, which `plan/assets_file.py` reads.
    """

    folder_id: str = ""
    resource_key: str = field(default="", metadata=_COMPUTED)
    results_name: str = field(default="", metadata=_COMPUTED)
    copied_alone: tuple[str, ...] = field(default=(), metadata=_COMPUTED)
    folder_name: str = field(default="", metadata=_OF_LISTING)
    folders: str | tuple[Any, ...] = field(default=(), metadata=_PATH)
    folders_link_column: str = ""
    folders_name_column: str = ""
    skip_wrong_lines: bool = False
    recursive: bool = field(default=True, metadata=_OF_LISTING)
    include: tuple[str, ...] = field(default=("image/*",), metadata=_OF_LISTING)
    exclude: tuple[str, ...] = ()
    token: str = field(default="token.json", metadata=_PATH)
    impersonate: str = ""
    credentials: str = field(default="credentials.json", metadata=_PATH)
    drive_endpoint: str = "https://www.googleapis.com"
    results: str = field(default="results", metadata=_PATH)
    csv_bom: bool = False
    overwrite: bool = False
    upload: Upload = field(default_factory=Upload)
    tags_from_folders: bool = False
    caption_from_description: bool = field(default=False, metadata=_OF_LISTING)
    assets: str = field(default="", metadata=_PATH)
    trust_checksum: dict[str, bool] = field(default_factory=dict)
    limit: int | None = None
    max_bytes: int | None = None
    fit: bool = False
    drive_units_per_minute: float = 325_000
    uploads_at_once: int = 50
    folders_per_query: int = FOLDERS_PER_QUERY
    images_per_job: int | Literal["auto"] = "auto"
    retries: int = 5
    timeout: float = 60.0
    patience: float = 600.0

    @property
    def results_folder(self) -> Path:
        """The results folder of this Drive folder, relative to where snakemake runs."""
        return Path(self.results) / (self.results_name or self.folder_id or "FOLDER_ID")

    @property
    def of_listing(self) -> dict[str, Any]:
        """The settings on which the images of a listing and their names depend, as JSON has them."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if "is_of_listing" in each.metadata}
        assets = md5_of(Path(self.assets)) if self.assets else ""
        return {**own, "include": list(self.include), "type": self.upload.type, "assets": assets}

    def trusts_checksum(self, file_id: str, photos: bool) -> bool:
        """Whether a file's bytes must have Drive's md5. In: its ID, and whether it came from Google Photos.

        A setting for the ID overrides the setting for all `photos`.
        """
        of_its_kind = self.trust_checksum.get("photos", True) if photos else True
        return self.trust_checksum.get(file_id, of_its_kind)

    @property
    def largest(self) -> int | None:
        """The most bytes of an image; None if only Cloudinary's answer decides."""
        return self.max_bytes or (FREE_PLAN if self.fit else None)

    def cloudinary_folder(self, drive_folder: str) -> str:
        """The Cloudinary folder to upload into. In: the Drive folder's name, the default."""
        return self.folder_name or drive_folder.replace("/", "_")

    def to_json(self) -> str:
        """The settings of one Drive folder as an argument for the scripts. They contain no secrets."""
        return json.dumps({**asdict(self), "folders": ()})

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that `to_json` wrote."""
        values = json.loads(text)
        upload = Upload(**{**values["upload"], "tags": tuple(values["upload"]["tags"])})
        tuples = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **tuples, "upload": upload})

    @classmethod
    def from_config(cls, config: dict[str, Any], schema: Path, typed: Sequence[str] = ()) -> Settings:
        """The settings in Snakemake's `config`, checked against `schema`.

        In: config.yaml overridden by `--config`; the JSON Schema; the arguments of `--config`, because Snakemake reads
        them as YAML, which makes numbers (1e5, 007) and comments (a #b) of texts, and the original text is only there.
        Raises MigrationError for an unknown key, a wrong type, a text that YAML has converted, or a folder_id that is
        neither an ID nor a Drive folder's URL.
        """
        _need_unique_keys(typed)
        values = {**config, **_typed_by_name(typed, config)}
        for key in (*TEXTS, *LISTS):
            value = values.get(key)
            for each in value if key in LISTS and isinstance(value, list) else [value]:
                if not isinstance(each, str | None):
                    raise MigrationError(f"wrong setting {key}: {no_text(each)}")
        values |= {key: path_of(key, values[key]) for key in PATHS if isinstance(values.get(key), str)}
        need_no_braces("wrong setting results", values.get("results") or "")
        values |= {key: _number(key, values[key]) for key in NUMBERS if key in values}
        _check(values, schema)
        _refuse_videos(_as_list(values.get("include", ())))
        folder_id, resource_key = folder_of(values.get("folder_id") or "")
        lists = {key: _as_list(values[key]) for key in LISTS if key in values}
        if lists.get("include") == ():
            raise MigrationError("wrong setting include: it names no MIME type; image/* takes all images")
        folders = values.pop("folders", None) or ()
        upload = values.pop("upload", None) or {}
        values.pop("folder_id", None)
        texts = {key: values[key] or "" for key in TEXTS if key in values}
        # Normalized, because Snakemake compares paths as texts.
        texts["results"] = str(Path(texts.get("results", cls.results)))
        return cls(
            **{**values, **texts, **lists, "folder_id": folder_id, "resource_key": resource_key},
            folders=folders if isinstance(folders, str) else tuple(folders),
            upload=Upload(**{**upload, "tags": _as_list(upload.get("tags", ()))}),
        )


_SET = {
    each.name: (get_type_hints(Settings)[each.name], each.metadata)
    for each in fields(Settings)
    if "is_computed" not in each.metadata
}
_TYPES = {name: kind for name, (kind, _) in _SET.items()}
SETTABLE = tuple(_SET)
"""The names of the settings."""
TEXTS = tuple(name for name, kind in _TYPES.items() if kind is str)
SWITCHES = tuple(name for name, kind in _TYPES.items() if kind is bool)
LISTS = tuple(name for name, kind in _TYPES.items() if kind == tuple[str, ...])
OR_LISTS = (*LISTS, "folders")
"""Settings that are a text or a list."""
WHOLE_NUMBERS = tuple(name for name, kind in _TYPES.items() if kind is int or int in get_args(kind))
NUMBERS = (*WHOLE_NUMBERS, *(name for name, kind in _TYPES.items() if kind is float))
PATHS = tuple(name for name, (_, metadata) in _SET.items() if "is_path" in metadata)


def path_of(name: str, text: str) -> str:
    """The path that a user has given, with the home folder in the place of ~, which a shell leaves in `--config a=~/b`.

    In: the setting or argument, for the message. Raises MigrationError if there is no such user.
    """
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        user = text.partition("/")[0]
        raise MigrationError(
            f"wrong setting {name}: there is no home folder {one_line(user, 60)}: write the whole path"
        ) from error


def need_no_braces(what: str, path: str) -> None:
    """Raise MigrationError if a folder has braces in its path and Snakemake takes it for a pattern.

    In: the beginning of the message.
    """
    if "{" in path or "}" in path:
        raise MigrationError(
            f"{what}: {one_line(path, 200)} has braces, which Snakemake takes for wildcards: take a folder without them"
        )


def folder_of(text: str) -> tuple[str, str]:
    """The Drive folder's ID and resource key ("" if none) from an ID or any form of its URL.

    The URLs: …/drive/folders/ID, …/drive/u/0/folders/ID?resourcekey=KEY, …/drive/mobile/folders/PARENT/ID,
    …/open?id=ID, …/folderview?id=ID, …/#folders/PARENT/ID, …/my-drive, and a link of Google's to one of these. What was
    copied along with it, quotes or a full stop, does not matter. "" gives "". Raises MigrationError for any other text.
    """
    bare = text.strip(AROUND_URL)
    if re.fullmatch(ID, bare) or not text.strip():
        return bare, ""
    try:
        address = urlparse(bare if "//" in bare else f"https://{bare}")
    except ValueError:
        address = urlparse("")
    if f".{address.hostname}".endswith(".google.com"):
        query = parse_qs(address.query)
        if address.path == "/url" and "q" in query:
            return folder_of(query["q"][0])
        places = (address.path, f"/{address.fragment.partition('?')[0]}")
        # Of a path of folders, the last one is meant: …/folders/PARENT/ID.
        in_path = next(filter(None, (re.search(rf"/folders(?:/{ID})*/({ID})/?$", place) for place in places)), None)
        found = in_path[1] if in_path else query.get("id", [""])[0]
        if re.fullmatch(ID, found):
            return found, query.get("resourcekey", [""])[0]
        if any(place.rstrip("/").endswith("/my-drive") for place in places):
            return "root", ""
    raise MigrationError(f"folder_id {one_line(text, 100)!r} is neither a Drive folder's ID nor its URL")


def no_text(value: object) -> str:
    """What is wrong with a value of config.yaml that has to be a text. In: what YAML has made of it.

    2024_01 is the number 202401 in YAML, 12:30 is 750, and No is false: nobody knows any more what was written.
    """
    return f"YAML reads it as {one_line(value, 60)}, not as text: put it into quotes"


def _need_unique_keys(arguments: Sequence[str]) -> None:
    """Raise MigrationError if a setting stands twice on the command line, or a key twice in its value."""
    seen: set[str] = set()
    for argument in arguments:
        key, _, text = argument.partition("=")
        if key in seen:
            raise MigrationError(f"{one_line(key, 60)} is set twice on the command line: leave one of the two out")
        seen.add(key)
        configuration.need_unique_keys(text, f"wrong setting {one_line(key, 60)}")


def _number(key: str, value: Any) -> Any:
    """A number, also if it is written as text, as 1e3 or as 2.0; of anything else, the schema says what is wrong.

    Raises MigrationError for what is no finite number: no limit would hold.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise MigrationError(f"wrong setting {key}: {value} is not a finite number")
    return int(value) if key in WHOLE_NUMBERS and value.is_integer() else value


def _typed_by_name(arguments: Sequence[str], config: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for argument in arguments:
        key, _, text = argument.partition("=")
        if key in config and (key in TEXTS or (key in OR_LISTS and not _is_list(text, config[key]))):
            typed[key] = _as_typed(text)
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    for key in SWITCHES:
        if isinstance(config.get(key), str):
            typed[key] = words.get(config[key].lower(), config[key])
    if isinstance(config.get("trust_checksum"), dict):
        # On the command line, all values inside a YAML mapping are texts.
        typed["trust_checksum"] = {
            str(file_id): words.get(str(trusted).lower(), trusted)
            for file_id, trusted in config["trust_checksum"].items()
        }
    if isinstance(config.get("upload"), dict):
        typed["upload"] = _as_texts(config["upload"])
    return typed


def _is_list(text: str, value: object) -> bool:
    """Whether a text of the command line is a list in YAML's own form, ["a,b", c]. In: what YAML makes of it."""
    return isinstance(value, list) and text.strip().startswith("[") and text.strip().endswith("]")


def _as_typed(text: str) -> str:
    """A text of the command line without a pair of quotes around the whole, which a profile puts there."""
    text = text.strip()
    return text[1:-1].strip() if re.fullmatch("'[^']*'|\"[^\"]*\"", text) else text


def _as_texts(value: Any) -> Any:
    """The value with the keys and numbers in it as texts, which people write without quotes: {year: 2026}."""
    if isinstance(value, dict):
        return {str(key): _as_texts(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_as_texts(each) for each in value]
    return str(value) if type(value) in (int, float) else value


def _as_list(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """A list, or a text with commas: the command line has no other simple way to write several patterns."""
    patterns = value.split(",") if isinstance(value, str) else value or ()
    return tuple(pattern.strip() for pattern in patterns if pattern.strip())


def _refuse_videos(include: Sequence[str]) -> None:
    """Raise MigrationError for a pattern of other media: each such file would fail, after its download."""
    for pattern in include:
        if pattern.lower().startswith(("video/", "audio/")):
            raise MigrationError(
                f"wrong setting include: {one_line(pattern, 60)}: only images are moved; leave this pattern out"
            )


def _check(values: dict[str, Any], schema: Path) -> None:
    """Raise MigrationError for the first wrong setting; the message says in one line what is wrong."""
    from jsonschema import ValidationError
    from snakemake.exceptions import WorkflowError
    from snakemake.utils import validate

    unknown = [key for key in values if key not in SETTABLE]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]).replace("-", "_").lower(), SETTABLE, 1)
        hint = f": did you mean {near[0]}?" if near else "; config.yaml names them all"
        raise MigrationError(f"unknown setting {one_line(unknown[0], 60)!r}{hint}")
    _check_upload(values.get("upload"))
    try:
        validate(values, str(schema), set_default=False)
    except WorkflowError as error:
        cause = error.__context__
        where = ".".join(map(str, cause.path)) if isinstance(cause, ValidationError) else "config.yaml"
        what = cause.message if isinstance(cause, ValidationError) else error
        raise MigrationError(f"wrong setting {where}: {one_line(what, 200)}") from error
    for tag in _as_list((values.get("upload") or {}).get("tags", ())):
        _check_tag(tag)


def _check_upload(upload: Any) -> None:
    """Raise MigrationError for a parameter that cannot be set; the message says why."""
    for key in upload if isinstance(upload, dict) else ():
        if key in ALTERING:
            raise MigrationError(
                f"upload.{key} cannot be set: it would change the stored bytes, and an image counts as moved only if "
                "they are Drive's; put it into the delivery URLs instead"
            )
        if key not in Upload.__dataclass_fields__:
            near = difflib.get_close_matches(key.lower(), list(Upload.__dataclass_fields__), 1)
            hint = f"did you mean {near[0]}?" if near else f"these can be set: {', '.join(Upload.__dataclass_fields__)}"
            raise MigrationError(f"unknown setting {one_line(f'upload.{key}', 60)!r}: {hint}")
    context = upload.get("context") if isinstance(upload, dict) else None
    if isinstance(context, dict) and "drive_id" in context:
        raise MigrationError("upload.context.drive_id cannot be set: it says which Drive file an asset is made of")


def _check_tag(tag: str) -> None:
    """Raise MigrationError for a tag that Cloudinary would split, or that names an unknown placeholder."""
    shown = one_line(tag, 60)
    if "," in tag:
        raise MigrationError(f"wrong setting upload.tags: {shown!r} has a comma, which separates tags in Cloudinary")
    for name in re.findall(r"\{(.*?)\}", tag):
        if name not in PLACEHOLDERS:
            known = " and ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise MigrationError(f"wrong setting upload.tags: {shown!r}: only {known} may stand in braces")
