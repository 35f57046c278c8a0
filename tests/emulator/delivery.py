"""Delivery of assets by URL: of those of type private or authenticated only if it is signed."""

from __future__ import annotations

import asyncio
import hashlib
import re
from urllib.parse import unquote

from aiohttp import web

from .assets import Asset, Assets
from .images import EXTENSIONS, content_type
from .signing import sign_url
from .transform import Step, TransformError, looks_like_one, parse, render, result_format
from .wire import Call, Reply, nonempty, span, split_target

MEGAPIXELS = 25
"""Of a larger image, a free account delivers the original alone."""
ONLY_STORED = ("arw", "cr2", "cr3", "djvu", "dng")
KINDS = ("image", "raw", "video")
TYPES = ("upload", "private", "authenticated")
SIGNATURE = re.compile(r"s--[A-Za-z0-9_-]{8}--")
VERSION = re.compile(r"v\d+")


class Delivery:
    """The service: `/CLOUD/image/TYPE[/s--SIGNATURE--][/TRANSFORMATION…][/vN]/PUBLIC_ID[.EXTENSION]`."""

    def __init__(self, assets: Assets, cloud: str, secret: str) -> None:
        self._assets = assets
        self._cloud = cloud
        self._secret = secret

    async def open(self, request: web.BaseRequest) -> Call:
        """The path, decoded part by part. HEAD is a separate operation, so that a fault can be for HEAD only."""
        path, query = split_target(request)
        parts = [unquote(part) for part in path.strip("/").split("/")]
        op = "delivery.head" if request.method == "HEAD" else "delivery"
        return Call(request, op, nonempty(["/".join(parts)]), query, payload=parts)

    def error(self, status: int, reason: str, message: str) -> Reply:
        """Delivery puts its errors in a header, and sends no body."""
        return Reply(status, headers={"X-Cld-Error": message.encode("ascii", "replace").decode()})

    async def answer(self, call: Call) -> Reply:
        """The picture or the requested range of it, or a 4xx."""
        parts: list[str] = call.payload
        if call.request.method not in ("GET", "HEAD"):
            return self.error(405, "", "Method not allowed")
        if len(parts) < 4 or parts[0] != self._cloud or parts[1] not in KINDS or parts[2] not in TYPES:
            return self.error(404, "", "Resource not found - " + "/".join(parts))
        signature, rest = (parts[3], parts[4:]) if SIGNATURE.fullmatch(parts[3]) else ("", parts[3:])
        components, name = _split(rest)
        try:
            steps = [parse(component) for component in components]
        except TransformError as error:
            return self.error(400, "", str(error))
        stem, dot, ending = name.rpartition(".")
        extension = EXTENSIONS.get(ending.lower()) if dot and parts[1] == "image" else None
        asset = self._assets.get((parts[1], parts[2], stem if extension else name))
        # Of a private asset, only the original needs it; of an authenticated one, everything.
        is_open = parts[2] == "upload" or (parts[2] == "private" and components)
        if signature != sign_url("/".join([*components, name]), self._secret) and (signature or not is_open):
            return self.error(401, "", "Invalid signature" if signature else "deny or ACL failure")
        if asset is None:
            return self.error(404, "", f"Resource not found - {name}")
        wanted = result_format(asset.format, steps, extension)
        if refused := _refused(asset, wanted, is_derived=bool(steps) or wanted != asset.format):
            return self.error(*refused)
        try:
            data, etag = await self._picture(asset, steps, wanted)
        except TransformError as error:
            return self.error(400, "", str(error))
        kind = content_type(wanted) if asset.resource_type == "image" else "application/octet-stream"
        headers = {"Content-Type": kind, "ETag": f'"{etag}"', "Cache-Control": "public, max-age=2592000"}
        headers["Accept-Ranges"] = "bytes"
        part = span(call.request, len(data))
        if part is None:
            return Reply(416, headers={"Content-Range": f"bytes */{len(data)}"})
        if "Range" not in call.request.headers or call.request.method == "HEAD":
            return Reply(200, data, headers)
        start, length = part
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{len(data)}"
        return Reply(206, data[start : start + length], headers)

    async def _picture(self, asset: Asset, steps: list[Step], wanted: str) -> tuple[bytes, str]:
        """The transformed bytes and their etag."""
        stored = self._assets.read(asset.key)
        if asset.resource_type != "image":
            return stored, asset.etag
        # In a thread, because Pillow would block all other requests.
        data = await asyncio.to_thread(render, stored, asset.format, steps, wanted)
        return data, asset.etag if data is stored else hashlib.md5(data).hexdigest()


def _refused(asset: Asset, wanted: str, is_derived: bool) -> tuple[int, str, str] | None:
    """The error with which a free account answers; None if it delivers."""
    if "pdf" in (asset.format, wanted):
        return 401, "", "deny or ACL failure"
    if is_derived and asset.format in ONLY_STORED:
        return 400, "", f"Unsupported source format {asset.format}"
    megapixels = asset.width * asset.height / 1_000_000
    if is_derived and asset.resource_type == "image" and megapixels > MEGAPIXELS:
        return 400, "", f"Maximum image size is {MEGAPIXELS} Megapixels. Requested {megapixels:.1f} Megapixels"
    return None


def _split(parts: list[str]) -> tuple[list[str], str]:
    """Splits transformations from the public_id: at the version, or else by what looks like a transformation."""
    for index, part in enumerate(parts[:-1]):
        if VERSION.fullmatch(part):
            return parts[:index], "/".join(parts[index + 1 :])
    count = 0
    while count < len(parts) - 1 and looks_like_one(parts[count]):
        count += 1
    return parts[:count], "/".join(parts[count:])
