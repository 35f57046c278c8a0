"""The Cloudinary Upload API: upload (whole or in chunks) and destroy, with Cloudinary's own rules and errors."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from .assets import Asset, Assets, Key
from .chunks import ChunkError, Chunks
from .faults import flip
from .form import Form, FormError, read_form
from .intake import Refused, Taken, take
from .naming import FALSE, TRUE, as_stored, is_valid, parse_context, parse_pairs, public_id_of, stem_of
from .record import Record
from .signing import is_signed, sign_url, string_to_sign
from .wire import Call, Reply, nonempty, split_target

Json = dict[str, Any]
ONE_PIECE = 100 * 1024 * 1024
ENVELOPE = 64 * 1024  # multipart headers and fields around a file, for telling its size from Content-Length
HOUR = 3600
UPGRADE = "Upgrade your plan to enjoy higher limits https://www.cloudinary.com/pricing/upgrades/file-limit"
TYPES = ("upload", "private", "authenticated")
MODERATIONS = ("manual", "aws_rek", "webpurify")
RESOURCES = ("image", "video", "raw", "auto")
REWRITES = ("specials", "off")
MISSING_IN_2019 = ["etag", "asset_id", "version_id", "original_filename", "context"]
"""What answers with `existing: true` were recorded without."""


@dataclass(slots=True)
class Account:
    """The product environment: its credentials, limits and modes.

    `at_once` 0 is no limit; `delay` is in seconds; `rewrites` is what becomes of a public_id (`naming.as_stored`);
    `presets` are the upload presets, name → parameters, of which `default_preset` is that of signed uploads which name
    none; `metadata_fields` the external IDs of structured metadata; `verdicts` what comes of each kind of moderation.
    `existing_as_in_2019`: how `existing: true` was recorded then. `raw_urls`: URLs of answers are not percent-encoded.
    `clock`: how many seconds the service's clock is ahead of this machine's.
    """

    cloud: str
    key: str
    secret: str
    max_bytes: int = 10_485_760
    at_once: int = 0
    delay: float = 0.0
    fixed_folders: bool = False
    existing_without_etag: bool = False
    rewrites: str = REWRITES[0]
    base: str = ""
    presets: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata_fields: list[str] = field(default_factory=list)
    default_preset: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    existing_as_in_2019: bool = False
    raw_urls: bool = False
    clock: float = 0.0

    @property
    def now(self) -> float:
        """The Unix time by the service's clock."""
        return time.time() + self.clock


class ApiError(Exception):
    """An error that is answered as JSON."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class CloudinaryApi:
    """The service under /v1_1/."""

    def __init__(self, account: Account, assets: Assets, record: Record) -> None:
        self.account = account
        self.assets = assets
        self._chunks = Chunks()
        self._record = record
        self._chunked_ids: dict[str, str] = {}

    async def open(self, request: web.BaseRequest) -> Call:
        """Reads the form, unless the body exceeds the limit of one call. From here on an upload counts as under way."""
        path, query = split_target(request)
        parts = path.strip("/").split("/")[1:]
        if len(parts) != 3 or parts[1] not in RESOURCES or request.method != "POST":
            return Call(request, "cloudinary.admin", (path,), query)
        if parts[2] not in ("upload", "destroy"):
            return Call(request, "cloudinary.other", (path,), query)
        call = Call(request, f"cloudinary.{parts[2]}", (), query)
        too_many = False
        if parts[2] == "upload":
            self._record.upload_begins()
            too_many = 0 < self.account.at_once < self._record.uploads_now
            call.finished = self._record.upload_ends
            call.delay = self.account.delay
        form: Form | FormError | None = None
        try:
            if (request.content_length or 0) <= ONE_PIECE + ENVELOPE:
                form = await read_form(request)
                call.received = len(form.file or b"")
                names = [form.fields.get(name, "") for name in ("public_id", "display_name", "asset_folder")]
                call.keys = nonempty([*names, form.filename])
        except FormError as error:
            form = error
        except BaseException:
            if call.finished:
                call.finished()
            raise
        call.payload = (parts[0], parts[1], form, too_many)
        return call

    def error(self, status: int, reason: str, message: str) -> Reply:
        """An error in Cloudinary's envelope and in a header."""
        reply = Reply.of_json({"error": {"message": message}}, status)
        reply.headers["X-Cld-Error"] = message.replace("\n", " ").encode("ascii", "replace").decode()
        return reply

    async def answer(self, call: Call) -> Reply:
        """Carries out the call, or answers an error; with the time by the service's clock."""
        reply = self._answered(call)
        reply.headers["Date"] = format_datetime(datetime.fromtimestamp(self.account.now, UTC), usegmt=True)
        return reply

    def _answered(self, call: Call) -> Reply:
        if call.op == "cloudinary.admin":
            return self.error(401, "", "The Admin API is not emulated: a migration must not call it.")
        if call.op == "cloudinary.other":
            return self.error(404, "", f"Not emulated - {call.keys[0]}")
        cloud, resource_type, form, too_many = call.payload
        if form is None:
            return Reply.of_html(413, "413 Request Entity Too Large")
        try:
            if isinstance(form, FormError):
                raise ApiError(400, f"Malformed request - {form}")
            self._check_caller(cloud, form.fields)
            if call.op == "cloudinary.destroy":
                return self._destroy(resource_type, form.fields)
            if too_many:
                limit = f"Limit of {self.account.at_once} concurrent uploads reached. Try again later"
                raise ApiError(420, f"Rate Limit Exceeded. {limit}")
            return Reply.of_json(self._upload(call, resource_type, form))
        except ApiError as error:
            return self.error(error.status, "", str(error))
        except (ChunkError, Refused) as error:
            return self.error(400, "", str(error))

    def _check_caller(self, cloud: str, fields: dict[str, str]) -> None:
        """Cloud, key, time and signature, in this order."""
        if cloud != self.account.cloud:
            raise ApiError(401, f"Invalid cloud_name {cloud}")
        if not fields.get("api_key"):
            raise ApiError(400, "Upload preset must be specified when using unsigned upload")
        if fields["api_key"] != self.account.key:
            raise ApiError(401, "unknown api_key")
        if not fields.get("timestamp"):
            raise ApiError(400, "Missing required parameter - timestamp")
        if not fields.get("signature"):
            raise ApiError(400, "Missing required parameter - signature")
        if not fields["timestamp"].isdigit():
            raise ApiError(400, f"Invalid timestamp {fields['timestamp']}")
        if not is_signed(fields, self.account.secret):
            wanted = string_to_sign(fields)
            raise ApiError(401, f"Invalid Signature {fields['signature']}. String to sign - '{wanted}'.")
        told = int(fields["timestamp"])
        if told < self.account.now - HOUR:
            moment = datetime.fromtimestamp(told, UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
            raise ApiError(400, f"Stale request - reported time is {moment} which is more than 1 hour ago")

    # Uploading

    def _upload(self, call: Call, resource_type: str, form: Form) -> Json:
        fields = form.fields
        if preset := fields.get("upload_preset") or self.account.default_preset:
            if preset not in self.account.presets:
                raise ApiError(400, "Upload preset not found")
            # What the call itself says wins.
            form.fields = fields = {**self.account.presets[preset], **fields}
        _check_parameters(form, self.account.metadata_fields)
        assert form.file is not None
        upload_id = call.request.headers.get("X-Unique-Upload-Id", "")
        span = call.request.headers.get("Content-Range", "")
        # Only the first chunk need say what the upload is called.
        public_id = ("" if fields.get("public_id") else self._chunked_ids.get(upload_id, "")) or public_id_of(form)
        if not is_valid(public_id):
            raise ApiError(400, f"public_id ({public_id}) is invalid")
        public_id = as_stored(public_id, self.account.rewrites)
        data: bytes | None = form.file
        if upload_id and span:
            total = span.rpartition("/")[2]
            self._check_size(resource_type, int(total) if total.isdigit() else 0)
            data = self._chunks.add(upload_id, span, form.file)
            if data is None:
                self._chunked_ids[upload_id] = public_id
                return {"done": False, "bytes": len(form.file), "public_id": public_id, "kind": "upload"}
            self._chunked_ids.pop(upload_id, None)
        self._check_size(resource_type, len(data or b""))
        taken = take(resource_type, form, data or b"")
        key = (taken.resource_type, fields.get("type", "upload"), public_id)
        old = self.assets.get(key)
        if old and fields.get("overwrite") in FALSE:
            return self._described(old, existing=True)
        if call.fault.get("corrupt"):
            taken = replace(taken, data=flip(taken.data))
        asset = self.store(key, form, taken, stores=old.stores + 1 if old else 1)
        if fields.get("async") in TRUE:
            return {"status": "pending", "batch_id": secrets.token_hex(32)}
        return self._described(asset)

    def store(self, key: Key, form: Form, taken: Taken, stores: int) -> Asset:
        """Stores the bytes, also over another asset, whose identity and place stay; its context and tags go."""
        fields, old = form.fields, self.assets.get(key)
        folder = fields.get("asset_folder") or fields.get("folder") or (old.asset_folder if old else "")
        asset = Asset(
            public_id=key[2],
            resource_type=key[0],
            type=key[1],
            asset_id=old.asset_id if old else secrets.token_hex(16),
            version=self.assets.next_version(key, self.account.now),
            created_at=old.created_at if old else self.account.now,
            format=taken.format,
            width=taken.width,
            height=taken.height,
            bytes=len(taken.data),
            etag=hashlib.md5(taken.data).hexdigest(),
            original_filename=stem_of(form),
            sent_filename=form.filename,
            display_name=fields.get("display_name") or (old.display_name if old else key[2].rpartition("/")[2]),
            asset_folder="" if self.account.fixed_folders else folder,
            context=parse_context(fields.get("context", "")),
            tags=_tags_of(fields),
            metadata=parse_pairs(fields.get("metadata", "")),
            moderation=fields.get("moderation", ""),
            stores=stores,
        )
        self.assets.put(asset, taken.data)
        return asset

    def _check_size(self, resource_type: str, size: int) -> None:
        limit = self.account.max_bytes * (10 if resource_type == "video" else 1)
        if size > limit:
            raise ApiError(400, f"File size too large. Got {size}. Maximum is {limit}. {UPGRADE}")

    # Answers

    def _described(self, asset: Asset, existing: bool = False) -> Json:
        """The asset as the API answers it."""
        account = self.account
        ending = f".{asset.format}" if asset.resource_type != "raw" else ""
        signature = f"/{sign_url(asset.public_id + ending, account.secret)}" if asset.type != "upload" else ""
        kind = f"/{account.cloud}/{asset.resource_type}/{asset.type}{signature}"
        shown = asset.public_id if account.raw_urls else quote(asset.public_id)
        path = f"{kind}/v{asset.version}/{shown}{ending}"
        signed = f"public_id={asset.public_id}&version={asset.version}{account.secret}"
        answer: Json = {
            "asset_id": asset.asset_id,
            "public_id": asset.public_id,
            "version": asset.version,
            "version_id": hashlib.md5(f"{asset.asset_id}{asset.version}".encode()).hexdigest(),
            "signature": hashlib.sha1(signed.encode()).hexdigest(),
            "width": asset.width,
            "height": asset.height,
            "format": asset.format,
            "resource_type": asset.resource_type,
            "created_at": datetime.fromtimestamp(asset.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tags": asset.tags,
            "bytes": asset.bytes,
            "type": asset.type,
            "etag": asset.etag,
            "placeholder": False,
            "url": account.base.replace("https://", "http://") + path,
            "secure_url": account.base + path,
            "original_filename": asset.original_filename,
            "api_key": account.key,
        }
        if account.fixed_folders:
            answer["folder"] = asset.public_id.rpartition("/")[0]
        else:
            answer |= {"asset_folder": asset.asset_folder, "display_name": asset.display_name}
        if asset.metadata:
            answer["metadata"] = asset.metadata
        if asset.moderation:
            answer["moderation"] = [
                {"status": account.verdicts.get(kind, "pending"), "kind": kind} for kind in asset.moderation.split("|")
            ]
        if asset.context:
            answer["context"] = {"custom": asset.context}
        absent = [] if asset.resource_type == "image" else ["width", "height"]
        absent += ["format"] if asset.resource_type == "raw" else []
        if existing:
            answer["existing"] = True
            absent += ["etag", "original_filename"] if account.existing_without_etag else []
            absent += MISSING_IN_2019 if account.existing_as_in_2019 else []
        return {name: value for name, value in answer.items() if name not in absent}

    def _destroy(self, resource_type: str, fields: dict[str, str]) -> Reply:
        public_id = fields.get("public_id", "")
        if not public_id:
            raise ApiError(400, "Missing required parameter - public_id")
        public_id = as_stored(public_id, self.account.rewrites)
        gone = self.assets.delete((resource_type, fields.get("type", "upload"), public_id))
        return Reply.of_json({"result": "ok" if gone else "not found"})


def _tags_of(fields: dict[str, str]) -> list[str]:
    return [tag.strip() for tag in fields.get("tags", "").split(",") if tag.strip()]


def _check_parameters(form: Form, metadata_fields: list[str]) -> None:
    """Checks that need neither the bytes nor the store."""
    fields = form.fields
    if form.file is None:
        sent_url = "Fetching a file from a URL is not emulated"
        raise ApiError(400, sent_url if fields.get("file") else "Missing required parameter - file")
    if fields.get("type", "upload") not in TYPES:
        raise ApiError(400, f"Invalid type {fields['type']}")
    tags = _tags_of(fields)
    if len(tags) > 1000 or any(len(tag) > 255 for tag in tags):
        raise ApiError(400, "tags are invalid")
    try:
        parse_context(fields.get("context", ""))
    except ValueError as error:
        raise ApiError(400, f"context is invalid - {error}") from error
    # What the service answers for an unknown field: pycloudinary, issue 358.
    if set(parse_pairs(fields.get("metadata", ""))) - set(metadata_fields):
        raise ApiError(400, "Invalid value  for parameter kind")
    if set(fields.get("moderation", "manual").split("|")) - set(MODERATIONS):
        raise ApiError(400, "Moderation kind not supported")
    if "/" in fields.get("display_name", ""):
        raise ApiError(400, f"display_name ({fields['display_name']}) is invalid")
