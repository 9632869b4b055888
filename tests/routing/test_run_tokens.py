"""A token is good for one run of one Workitem, one direction and a time, and cannot be made up."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any

import pytest

from routing import run_tokens
from routing.models import Workitem
from routing.run_tokens import TokenRefused
from vendors.manifest import PerformerSpec

ITEM = Workitem(uid=uuid.UUID(int=7), runs=2)
SPEC = PerformerSpec("kubernetes", image="one@sha256:" + "0" * 64)


def test_a_token_says_of_which_run_it_is_and_in_which_direction() -> None:
    claim = run_tokens.read(run_tokens.token_of(ITEM, "output", seconds=60))
    assert (claim.uid, claim.run, claim.direction) == (ITEM.uid, 2, "output")


def test_a_token_that_was_altered_in_any_place_is_none() -> None:
    token = run_tokens.token_of(ITEM, "input", seconds=60)
    for place, letter in enumerate(token):
        other = token[:place] + ("b" if letter == "a" else "a") + token[place + 1 :]
        with pytest.raises(TokenRefused):
            run_tokens.read(other)
    for other in ("", ":", token + "x", "é" * 20, token.replace("input", "output")):
        with pytest.raises(TokenRefused):
            run_tokens.read(other)


def test_a_token_whose_time_is_over_is_none() -> None:
    with pytest.raises(TokenRefused, match="expired"):
        run_tokens.read(run_tokens.token_of(ITEM, "input", seconds=-1))


def test_only_what_runs_elsewhere_is_given_tokens_and_no_text_shows_them() -> None:
    assert run_tokens.transfer_of(ITEM, dataclasses.replace(SPEC, kind="container")) is None
    transfer = run_tokens.transfer_of(ITEM, SPEC, input_bytes=5)
    assert transfer is not None
    assert transfer.input_url == f"http://hub-web:8000/api/v1/runs/{ITEM.uid}/input"
    assert transfer.output_url == f"http://hub-web:8000/api/v1/runs/{ITEM.uid}/output"
    assert run_tokens.read(transfer.output_token).direction == "output"
    assert transfer.input_token not in repr(transfer)
    assert transfer.output_token not in repr(transfer)


def test_who_waits_overnight_in_kueues_queue_still_fetches_its_input(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_after(hours: float) -> bool:
        transfer, now = run_tokens.transfer_of(ITEM, SPEC), time.time()
        assert transfer is not None
        with monkeypatch.context() as later:
            later.setattr(time, "time", lambda: now + 3600 * hours)
            try:
                run_tokens.read(transfer.input_token)
                run_tokens.read(transfer.output_token)
            except TokenRefused:
                return False
        return True

    settings.HUB_ENGINE_PATIENCE_SECONDS = 14400.0
    settings.HUB_CLUSTER = settings.HUB_CLUSTER | {"queue": ""}
    assert (held_after(4), held_after(12)) == (True, False)
    settings.HUB_CLUSTER = settings.HUB_CLUSTER | {"queue": "night"}
    assert (held_after(12), held_after(8 * 24)) == (True, False)
