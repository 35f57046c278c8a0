"""Nothing that a machine lacks is left out without a word, and nothing at all where CI decides."""

from __future__ import annotations

import pytest

from tests import needs
from tests.needs import BROWSER, PREFIX, Need

MISSING = Need(BROWSER.missing, BROWSER.remedy, lambda: False)


def test_what_is_missing_leaves_a_test_out_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception) as skipped:
        needs.need(MISSING)
    reason = f"Skipped: {skipped.value}"
    assert needs.summary([reason, reason, "Skipped: for another reason"]) == [
        "2 tests left out, because here is no browser: sudo make test-packages"
    ]
    assert str(skipped.value).startswith(PREFIX)


def test_what_is_missing_is_an_error_where_ci_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="no browser: sudo make test-packages"):
        needs.need(MISSING)
