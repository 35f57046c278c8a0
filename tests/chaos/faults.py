"""The faults of a storm: their kinds, and the share of calls that fail."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
SHARE = 0.1
"""The share of calls that fail."""

ANYWHERE: list[Json] = [
    {"delay": 0.5},
    {"hang": True},
    {"refuse": True},
    {"lose": True},
    {"cut": 0.0},
    {"cut": 0.5},
    {"empty": True},
    {"html": 200},
    {"html": 502},
    {"html": 503},
    {"body": '{"unexpected": [1, {}]}'},
    {"body": '["cut off', "status": 500},
]
GOOGLE: list[Json] = [
    {"error": {"status": 500, "reason": "backendError"}},
    {"error": {"status": 403, "reason": "userRateLimitExceeded", "headers": {"Retry-After": "1"}}},
    {"error": {"status": 429, "reason": "rateLimitExceeded", "headers": {"Retry-After": "0"}}},
    {"redirect": True},
]
CLOUDINARY: list[Json] = [
    {"error": {"status": 500, "message": "General Error"}},
    {"error": {"status": 420, "message": "Too many concurrent requests"}},
    {"error": {"status": 429, "message": "Rate limited", "headers": {"Retry-After": "1"}}},
]
# Wrong bytes, which only the checksums reveal, matter most, so they occur more often.
FAULTS: dict[str, list[Json]] = {
    "oauth.token": [*ANYWHERE, {"error": {"status": 503, "reason": "temporarily_unavailable"}}],
    "drive.list": [*ANYWHERE, *GOOGLE, {"empty_batches": True}, {"incomplete": True}],
    "drive.get": [*ANYWHERE, *GOOGLE],
    "drive.media": [*ANYWHERE, *GOOGLE, *[{"corrupt": True}] * 6],
    "cloudinary.upload": [*ANYWHERE, *CLOUDINARY, *[{"lose": True}, {"corrupt": True}] * 5],
    "cloudinary.destroy": [*ANYWHERE, *CLOUDINARY],
    "delivery": [*ANYWHERE, {"corrupt": True}],
}


def rules() -> list[Json]:
    """Fault rules that strike each operation's calls with the probability SHARE, all its kinds equally often."""
    made = []
    for op, kinds in FAULTS.items():
        each = SHARE / len(kinds)
        for number, do in enumerate(kinds):
            # A rule is tried only if no earlier one applied.
            made.append({"on": op, "do": do, "times": None, "probability": each / (1 - number * each)})
    return made
