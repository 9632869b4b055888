"""mercure takes part where a checkout is given, and says why it cannot where that does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import mercure
from bench.places import NotMeasured


def test_without_a_checkout_it_does_not_take_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MERCURE", raising=False)
    assert not mercure.is_given()
    with pytest.raises(NotMeasured, match="MERCURE does not name"), mercure.router(tmp_path / "m"):
        pass


def test_what_keeps_it_from_starting_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tmp_path / "checkout/app"
    app.mkdir(parents=True)
    (app / "receiver.sh").write_text('echo "ERROR: Unable to locate getdcmtags binary"; exit 1\n')
    monkeypatch.setenv("MERCURE", str(tmp_path / "checkout"))
    assert mercure.is_given()
    with (
        pytest.raises(NotMeasured, match="did not start: .*getdcmtags"),
        mercure.receiver(tmp_path / "m"),
    ):
        pass
