"""A warm server in a cluster comes for its runs: its own alone, one at a time, and forgets them."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from hub.models import AuditEvent
from routing import server_desk, serving, staging, taking_in
from routing.models import RunFiles, Workitem
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.fakes.waiting import until
from tests.fakes.web import serving as web
from tests.routing.conftest import Place
from tests.routing.test_run_files import runs_elsewhere, workitem_elsewhere
from vendors import warm_servers
from vendors.models import WarmRun
from vendors.performers import attendant
from vendors.performers.base import Run

ROOT = Path(__file__).parents[2]


@dataclass
class Desk:
    """A staged run of a warm algorithm, a server of its group, and the web that it reaches."""

    item: Workitem
    run: Run
    server: str
    port: int
    folder: Path

    @property
    def mailbox(self) -> Path:
        return self.folder / "mailbox"

    def say(self, verb: str, *, server: str = "", token: str = "", **said: Any) -> tuple[int, Any]:
        name = server or self.server
        token = token or server_desk.door_of(name)[1]
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as wire:
            wire.request("POST", f"/api/v1/servers/{name}/{verb}", json.dumps(said),
                         {"Authorization": f"Bearer {token}"})  # fmt: skip
            answer = wire.getresponse()
            body = answer.read()
        return answer.status, json.loads(body) if body else None

    def attended(self) -> subprocess.Popen[str]:
        """The attendant, as it runs in a pod."""
        url, token = server_desk.door_of(self.server)
        (self.folder / "token").write_text(token)
        return self._started(
            "-I", "-S", attendant.__file__, "attend", "--url", url, "--token-file",
            str(self.folder / "token"), "--folder", str(self.mailbox),
        )  # fmt: skip

    def algorithm(self) -> subprocess.Popen[str]:
        return self._started("-m", "tests.fakes.warm_algorithm")

    def _started(self, *words: str) -> subprocess.Popen[str]:
        self.mailbox.mkdir(exist_ok=True)
        given = {"HUB_OUTPUT_DIR": str(self.mailbox), "HUB_SERVING": "warm"}
        return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=os.environ | given,
                                stderr=subprocess.PIPE, text=True)  # fmt: skip

    def kept(self) -> WarmRun:
        found = warm_servers.run_of(self.run.name)
        assert found is not None
        return found


@pytest.fixture
def desk(place: Place, settings: Any, tmp_path: Path) -> Iterator[Desk]:
    runs_elsewhere(place)
    place.rows.version.manifest["performer"] |= {"serving": "warm", "timeout_seconds": 20}
    place.rows.version.save()
    place.send(head_ct())
    taking_in.take_in_all()
    item = workitem_elsewhere(place)
    worker.lose_everything()
    group = serving.group_of(item)
    server = warm_servers.begin(group, 0, fingerprint="x")
    assert server is not None
    with web(settings) as port:
        run = staging.stage(item, item.version.declared)
        warm_servers.queue(run.name, group=group, priority=4)
        yield Desk(item, run, server.name, port, tmp_path)


def test_a_run_is_fetched_served_brought_back_and_forgotten(desk: Desk) -> None:
    both = [desk.algorithm(), desk.attended()]
    try:
        until(lambda: desk.kept().state == "over", "it was served", seconds=30)
        assert desk.kept().outcome == {"state": "succeeded", "exit_code": 0}
        files = RunFiles.objects.get(workitem=desk.item)
        assert files.output_bytes > 0
        assert {one.name for one in desk.mailbox.rglob("*")} == {"ready"}
        server = warm_servers.server_of(desk.server)
        assert server is not None
        assert (server.run, server.served, server.pod) == ("", 1, os.uname().nodename)
    finally:
        for one in both:
            one.kill()
            one.wait()


def test_who_is_dismissed_while_it_serves_leaves_nothing_in_the_mailbox(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.mailbox).mkdir()
    (desk.mailbox / "ready").touch()
    monkeypatch.setattr(attendant, "BEAT_SECONDS", 0.1)
    url, token = server_desk.door_of(desk.server)
    waits = attendant.Desk(url, token)
    asked = waits.ask()
    assert asked is not None
    warm_servers.stop(desk.server)
    with pytest.raises(attendant.Dismissed):
        attendant._served(waits, str(desk.mailbox), asked, 1 << 30)
    assert {one.name for one in desk.mailbox.rglob("*")} == {"ready"}


def test_a_server_that_is_not_ready_is_given_nothing(desk: Desk) -> None:
    process = desk.attended()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert desk.kept().state == "waiting"
    finally:
        process.kill()
        process.wait()


def test_the_same_question_is_answered_alike_and_another_run_is_given_to_nobody(
    desk: Desk,
) -> None:
    first = desk.say("ask", ask="1", pod="p")
    again = desk.say("ask", ask="1", pod="p")
    assert first[0] == again[0] == 200
    assert first[1]["run"] == again[1]["run"] == desk.run.name
    assert first[1]["timeout_seconds"] == 20
    assert desk.say("beat", run=desk.run.name) == (204, None)
    assert desk.say("beat", run="another-0")[0] == 410


def test_a_server_of_another_organisation_is_given_none_of_these_runs(desk: Desk) -> None:
    theirs = warm_servers.begin("v1-o999999", 0, fingerprint="x")
    assert theirs is not None
    assert desk.say("ask", server=theirs.name, ask="1", pod="p") == (204, None)
    answer = {"run": desk.run.name, "exit_code": 0, "why": "", "failure": ""}
    assert desk.say("answer", server=theirs.name, **answer)[0] == 410
    assert desk.kept().state == "waiting"


@pytest.mark.parametrize("token", ["", "forged", "of another"])
def test_a_wrong_token_opens_nothing_and_is_told_to_the_audit_trail(
    desk: Desk, token: str
) -> None:
    given = server_desk.door_of("v1-o2-0-other")[1] if token == "of another" else token or "x"
    status, said = desk.say("ask", token=given, ask="1", pod="p")
    assert (status, said) == (401, {"detail": "unknown token"})
    assert AuditEvent.objects.filter(action="server_token.refused").count() == 1
    assert desk.kept().state == "waiting"


@pytest.mark.parametrize(("verb", "said", "why"), [
    ("ask", {"ask": 1, "pod": "p"}, "ask: expected str"),
    ("beat", {}, "run: expected str"),
    ("answer", {"run": "x", "exit_code": True, "why": "", "failure": ""}, "exit_code: expected"),
])  # fmt: skip
def test_what_is_no_such_word_is_told_by_its_field(
    desk: Desk, verb: str, said: dict[str, Any], why: str
) -> None:
    status, told = desk.say(verb, **said)
    assert status == 400
    assert why in told["detail"]


OUTCOMES: list[tuple[dict[str, Any], str, bool]] = [
    ({"exit_code": 65, "why": "", "failure": ""}, "ended with exit code 65", False),
    ({"exit_code": 3, "why": "no\nmodel", "failure": ""}, "no model", True),
    ({"exit_code": None, "why": "timed out after 20 s", "failure": "timeout"}, "timed out", True),
    ({"exit_code": 1, "why": "not read", "failure": "answer"}, "not read", True),
    ({"exit_code": None, "why": "gave up", "failure": "stage"}, "the input did not reach", True),
    ({"exit_code": None, "why": "x", "failure": "collect"}, "the output did not come back", True),
]


@pytest.mark.parametrize(("said", "why", "is_retryable"), OUTCOMES)
def test_what_a_server_says_of_a_failure_is_kept_as_a_sentence(
    desk: Desk, said: dict[str, Any], why: str, is_retryable: bool
) -> None:
    desk.say("ask", ask="1", pod="p")
    assert desk.say("answer", run=desk.run.name, **said) == (204, None)
    outcome = desk.kept().outcome
    assert outcome["state"] == "failed"
    assert why in outcome["why"]
    assert outcome["is_retryable"] is is_retryable
    server = warm_servers.server_of(desk.server)
    assert server is not None
    assert server.is_stopping is (said["failure"] in ("timeout", "answer"))


def test_a_run_that_nobody_waits_for_any_more_is_not_handed_out(desk: Desk) -> None:
    Workitem.objects.filter(pk=desk.item.pk).update(state="superseded")
    assert desk.say("ask", ask="1", pod="p") == (204, None)
    assert desk.kept().state == "over"


def test_an_end_that_is_told_again_is_no_reason_to_go(desk: Desk) -> None:
    desk.say("ask", ask="1", pod="p")
    end = {"run": desk.run.name, "exit_code": 0, "why": "", "failure": ""}
    assert desk.say("answer", **end)[0] == 204
    warm_servers.forget_run(desk.run.name)
    assert desk.say("answer", **end)[0] == 204
    assert desk.say("ask", ask="2", pod="p")[0] == 204


def test_what_could_not_be_wiped_keeps_its_result_and_stops_its_server(desk: Desk) -> None:
    desk.say("ask", ask="1", pod="p")
    desk.say("answer", run=desk.run.name, exit_code=0, why="", failure="wipe")
    assert desk.kept().outcome == {"state": "succeeded", "exit_code": 0}
    assert desk.say("ask", ask="2", pod="p")[0] == 410


def test_a_pod_is_not_sent_to_the_door_that_speaks_tls(desk: Desk, settings: Any) -> None:
    """Its address is the hub's own Service, behind the proxy (HUB_HTTPS)."""
    settings.SECURE_SSL_REDIRECT = True
    client = Client()
    assert client.post("/").status_code == 301
    assert client.post(f"/api/v1/servers/{desk.server}/ask").status_code == 401
    assert client.put("/api/v1/runs/none/output").status_code != 301
