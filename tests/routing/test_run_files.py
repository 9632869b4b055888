"""A run that is elsewhere fetches its input and brings its output, and nobody else does either."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hub.models import AuditEvent
from routing import outputs, run_files, run_tokens, staging, taking_in, tidying
from routing.models import RunFiles, Study, Workitem
from routing.outputs import OutputRefused
from routing.places import desk, parcels, work_folder
from tests.builders import worker, worklists
from tests.builders.studies import another_head_ct, head_ct, send
from tests.fakes.web import serving
from tests.routing.conftest import Place
from tests.vendors.test_carrier import tar_of
from vendors.performers import carrier
from vendors.performers.base import Progress, Run, Transfer

FINDINGS = b'{"schema": "hub.findings/1"}'
OUTPUT = tar_of(("findings.json", {}, FINDINGS), ("dicom/a.dcm", {}, b"x" * 5000))


@dataclass
class Away:
    """A Workitem of the first site whose run is elsewhere, and the web that it reaches."""

    place: Place
    item: Workitem
    run: Run
    port: int
    folder: Path

    @property
    def transfer(self) -> Transfer:
        assert self.run.transfer is not None
        return self.run.transfer

    def ask(self, method: str, direction: str, token: str, body: bytes = b"", **headers: str
            ) -> tuple[int, bytes]:  # fmt: skip
        path = f"/api/v1/runs/{self.item.uid}/{direction}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as wire:
            wire.request(method, path, body, {"Authorization": f"Bearer {token}"} | headers)
            answer = wire.getresponse()
            return answer.status, answer.read()

    def bring(self, body: bytes, token: str = "") -> int:
        return self.ask("PUT", "output", token or self.transfer.output_token, body)[0]

    def carry(self, verb: str, folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the carrier as a pod does."""
        folder.mkdir(exist_ok=True)
        given = self.transfer
        url, token = ((given.input_url, given.input_token) if verb == "stage"
                      else (given.output_url, given.output_token))  # fmt: skip
        (self.folder / "token").write_text(changes.get("token", token))
        return subprocess.run(
            [sys.executable, "-I", "-S", carrier.__file__, verb, "--url", url, "--folder",
             str(folder), "--token-file", str(self.folder / "token"), "--seconds", "20"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def row(self) -> RunFiles:
        return RunFiles.objects.get(workitem=self.item, run=self.item.runs)


def runs_elsewhere(place: Place) -> None:
    place.rows.version.manifest["performer"] = {
        "kind": "kubernetes", "image": "registry.example.org/ich@sha256:" + "0" * 64
    }  # fmt: skip
    place.rows.version.manifest["returns"].pop("dicom", None)
    place.rows.version.save()


def workitem_elsewhere(place: Place) -> Workitem:
    study = place.study
    series = list(study.series.values_list("series_instance_uid", flat=True))
    return worklists.workitem_on(
        study, place.rows.version, state="dispatched", input_series=series,
        dispatched_at=timezone.now(), finished_at=None,
    )  # fmt: skip


@pytest.fixture
def away(place: Place, settings: Any, tmp_path: Path) -> Iterator[Away]:
    runs_elsewhere(place)
    place.send(head_ct())
    taking_in.take_in_all()
    item = workitem_elsewhere(place)
    worker.lose_everything()
    with serving(settings) as port:
        run = staging.stage(item, item.version.declared)
        yield Away(place, item, run, port, tmp_path)


def refusals() -> list[str]:
    events = AuditEvent.objects.filter(action="run_token.refused").order_by("pk")
    return [one.details["why"] for one in events]


# -- input -----------------------------------------------------------------------------------------
def test_the_input_arrives_as_it_was_staged_and_names_nobody(away: Away) -> None:
    done = away.carry("stage", away.folder / "in")
    assert (done.returncode, done.stdout) == (carrier.DONE, "")
    assert done.stderr == f"carrier: fetched 13 files, {size_of(away.folder / 'in')} bytes\n"
    told = json.loads((away.folder / "in" / "study.json").read_text())
    assert len(told["series"][0]["instances"]) == 12
    for series in told["series"]:
        for one in series["instances"]:
            assert (away.folder / "in" / one["path"]).stat().st_size > 1000
    everything = b"".join(one.read_bytes() for one in files(away.folder / "in"))
    assert away.place.study.patient_id.encode() not in everything
    # nothing of it stays on the disk of who staged it
    assert list(away.run.input_dir.iterdir()) == []
    assert away.transfer.input_bytes == away.row().input_bytes > 10_000


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


def size_of(folder: Path) -> int:
    return sum(one.stat().st_size for one in files(folder))


def test_what_broke_off_is_taken_up_where_it_broke(away: Away) -> None:
    token = away.transfer.input_token
    status, whole = away.ask("GET", "input", token)
    assert (status, len(whole)) == (200, away.transfer.input_bytes)
    for start in (1, 50_000, len(whole) - 1):
        assert away.ask("GET", "input", token, Range=f"bytes={start}-") == (206, whole[start:])
    assert away.ask("GET", "input", token, Range=f"bytes={len(whole)}-")[0] == 416
    assert away.ask("GET", "input", token, Range="bytes=5-9, 20-")[0] == 200


def test_an_input_token_holds_minutes_once_it_was_used(away: Away) -> None:
    token = away.transfer.input_token
    assert away.ask("GET", "input", token)[0] == 200
    RunFiles.objects.update(asked_at=timezone.now() - timedelta(minutes=4))
    assert away.ask("GET", "input", token)[0] == 200
    RunFiles.objects.update(asked_at=timezone.now() - timedelta(minutes=6))
    assert away.ask("GET", "input", token) == (401, b'{"detail": "unknown token"}')
    assert refusals() == ["used before, too long ago"]


# -- tokens ----------------------------------------------------------------------------------------
def test_no_other_token_opens_either_door_and_all_are_told_the_same(away: Away) -> None:
    """Of another hospital's Workitem, of another of its own, of another run, of the other door."""
    place = away.place
    given = away.transfer
    send(place.rows.other_pacs, another_head_ct(2))
    taking_in.take_in_all()
    foreign = Workitem.objects.create(
        study=Study.objects.get(site=place.rows.other_site), version=place.rows.version, revision=1,
        state="dispatched", priority=3, input_fingerprint="f" * 64,
    )  # fmt: skip
    own = worklists.workitem_on(place.study, place.rows.version, state="dispatched")
    earlier = Workitem(uid=away.item.uid, runs=away.item.runs + 1)
    for direction in ("input", "output"):
        method = "GET" if direction == "input" else "PUT"
        other_door = given.output_token if direction == "input" else given.input_token
        tokens = [other_door] + [
            run_tokens.token_of(one, direction, seconds=60) for one in (foreign, own, earlier)
        ]
        for token in tokens:
            assert away.ask(method, direction, token, OUTPUT) == (404, b'{"detail": "Not found."}')
        for token in ("x", run_tokens.token_of(away.item, direction, seconds=-1)):
            answer = away.ask(method, direction, token, OUTPUT)
            assert answer == (401, b'{"detail": "unknown token"}')
    assert len(refusals()) == 12
    assert away.row().output_sha256 == ""
    assert away.row().asked_at is None
    assert parcels().owners() == {away.item.uid.hex}


def test_a_token_of_the_other_hospital_is_noted_there(away: Away) -> None:
    send(away.place.rows.other_pacs, another_head_ct(2))
    taking_in.take_in_all()
    other = Study.objects.get(site=away.place.rows.other_site)
    foreign = worklists.workitem_on(other, away.place.rows.version, state="dispatched")
    RunFiles.objects.create(workitem=foreign, run=0, input_key="x", input_bytes=1)
    token = run_tokens.token_of(foreign, "input", seconds=60)
    assert away.ask("GET", "input", token)[0] == 404
    event = AuditEvent.objects.get(action="run_token.refused")
    assert event.site == away.place.rows.other_site
    assert token not in json.dumps(event.details)


@pytest.mark.parametrize("state", ["collected", "failed", "superseded", "written_back"])
def test_tokens_are_useless_once_the_workitem_has_moved_on(away: Away, state: str) -> None:
    Workitem.objects.filter(pk=away.item.pk).update(state=state)
    assert away.ask("GET", "input", away.transfer.input_token)[0] == 404
    assert away.bring(OUTPUT) == 404
    assert away.carry("stage", away.folder / "in").returncode == carrier.REFUSED
    assert files(away.folder / "in") == []
    assert away.row().output_sha256 == ""


def test_wrong_tokens_without_end_fill_no_audit_trail(away: Away) -> None:
    answers = [away.ask("GET", "input", "wrong")[0] for _ in range(45)]
    assert answers.count(429) >= 10
    assert len(refusals()) <= 35


def test_an_output_that_is_faster_than_its_worker_comes_again(away: Away) -> None:
    Workitem.objects.filter(pk=away.item.pk).update(state="entitled")
    assert away.bring(OUTPUT) == 425
    assert away.ask("GET", "input", away.transfer.input_token)[0] == 200
    Workitem.objects.filter(pk=away.item.pk).update(state="dispatched")
    assert away.bring(OUTPUT) == 201


# -- output ----------------------------------------------------------------------------------------
def test_an_output_is_brought_whole_and_wakes_collect(away: Away) -> None:
    Workitem.objects.filter(pk=away.item.pk).update(due_at=timezone.now() + timedelta(hours=1))
    left = away.folder / "out"
    (left / "dicom").mkdir(parents=True)
    (left / "findings.json").write_bytes(FINDINGS)
    (left / "dicom" / "a.dcm").write_bytes(b"x" * 70_000)
    (left / "secret").symlink_to("/etc/passwd")
    done = away.carry("collect", left)
    assert (done.returncode, done.stderr) == (0, "carrier: brought the output: HTTP 201\n")
    assert worker.take_nudges() == [("routing.tasks.collect", [away.item.pk])]
    away.item.refresh_from_db()
    assert away.item.due_at is not None
    assert away.item.due_at <= timezone.now()
    # whoever collects has another disk
    staging.shutil.rmtree(work_folder(away.item))
    with pytest.raises(OutputRefused, match="not as agreed"):
        outputs.read(away.item, away.item.version.declared)
    assert not desk(away.item).exists()
    found = away.folder / "laid out"
    run_files.lay_out(away.item, found)
    assert {str(one.relative_to(found)) for one in files(found)} == {"findings.json", "dicom/a.dcm"}
    assert (found / "dicom" / "a.dcm").read_bytes() == b"x" * 70_000


def test_the_first_output_counts_and_the_same_again_is_harmless(away: Away) -> None:
    other = tar_of(("findings.json", {}, b"other"))
    assert [away.bring(one) for one in (OUTPUT, OUTPUT, other, OUTPUT)] == [201, 200, 409, 200]
    assert len(worker.take_nudges()) == 1
    with parcels().open(away.row().output_key) as file:
        assert file.read() == OUTPUT
    names = [one.name for one in (parcels()._root / "runs" / away.item.uid.hex).iterdir()]
    assert len([one for one in names if "-output-" in one]) == 1
    assert list((parcels()._root / "parts").glob("*.part")) == []


def test_an_evil_output_is_refused_with_its_reason_and_leaves_nothing(
    away: Away, settings: Any
) -> None:
    evil = tar_of(("a", {"type": b"2", "linkname": "/etc"}, b""))
    status, told = away.ask("PUT", "output", away.transfer.output_token, evil)
    assert (status, b"link or a device" in told) == (422, True)
    settings.HUB_OUTPUT_BYTES = 4000
    assert away.bring(OUTPUT) == 422
    assert "more than 4000 bytes" in away.row().refused["args"]["why"]
    assert list((parcels()._root / "parts").glob("*.part")) == []
    assert worker.take_nudges() == []
    ended = staging.run_files.judged(away.item, Progress("failed", "exit code 65"))
    assert ended.why == "the output was refused: more than 4000 bytes of files"
    assert not ended.is_retryable
    with pytest.raises(OutputRefused, match="output was refused"):
        outputs.read(away.item, away.item.version.declared)
    settings.HUB_OUTPUT_BYTES = 8000
    assert away.bring(OUTPUT) == 201


def test_an_output_without_end_is_cut_off_at_the_quota(away: Away, settings: Any) -> None:
    settings.HUB_OUTPUT_BYTES = 1000
    left = away.folder / "out"
    left.mkdir()
    with (left / "big").open("wb") as file:
        file.truncate(64 << 20)
    done = away.carry("collect", left)
    assert done.returncode == carrier.UNFIT
    assert "more bytes than a run may bring" in done.stderr or "refused by the hub" in done.stderr
    assert list((parcels()._root / "parts").glob("*.part")) == []


def test_a_body_that_breaks_off_is_nothing(away: Away) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", away.port, timeout=20)
    connection.putrequest("PUT", f"/api/v1/runs/{away.item.uid}/output")
    connection.putheader("Authorization", f"Bearer {away.transfer.output_token}")
    connection.putheader("Content-Length", str(len(OUTPUT)))
    connection.endheaders()
    connection.send(OUTPUT[:2000])
    connection.close()
    assert away.bring(OUTPUT) == 201


def test_a_run_that_brought_nothing_is_told_as_that(away: Away) -> None:
    with pytest.raises(OutputRefused, match="ended without bringing"):
        outputs.read(away.item, away.item.version.declared)


def test_a_hub_that_is_started_again_is_waited_for(away: Away, settings: Any) -> None:
    """The carrier begins while nobody listens."""
    given = away.transfer
    (away.folder / "in").mkdir()
    (away.folder / "token").write_text(given.input_token)
    [port] = staging_ports()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", carrier.__file__, "stage", "--url",
         given.input_url.replace(f":{away.port}", f":{port}"), "--folder", str(away.folder / "in"),
         "--token-file", str(away.folder / "token"), "--seconds", "30"], stderr=subprocess.PIPE,
    )  # fmt: skip
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    with serving(settings, port=port):
        assert process.wait(20) == 0
    assert len(files(away.folder / "in")) == 13


def staging_ports() -> list[int]:
    from tests.fakes.ports import free_ports

    return free_ports(1)


# -- what is over ----------------------------------------------------------------------------------
def test_what_is_over_leaves_no_parcel(away: Away) -> None:
    assert away.bring(OUTPUT) == 201
    tidying.tidy()
    assert parcels().owners() == {away.item.uid.hex}
    staging.discard(away.item)
    assert parcels().owners() == set()


def test_parcels_whose_host_died_are_tidied_away(away: Away) -> None:
    staging.shutil.rmtree(work_folder(away.item))
    tidying.tidy()
    assert parcels().owners() == {away.item.uid.hex}
    Workitem.objects.filter(pk=away.item.pk).update(state="failed")
    tidying.tidy()
    assert parcels().owners() == set()


def test_of_two_pods_that_bring_at_once_one_is_first(away: Away) -> None:
    from concurrent.futures import ThreadPoolExecutor

    bodies = [tar_of(("findings.json", {}, b"%d" % number)) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(away.bring, bodies))
    assert answers == [201, 409, 409, 409]
    with parcels().open(away.row().output_key) as file:
        assert file.read() in bodies
