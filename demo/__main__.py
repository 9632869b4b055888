"""`python -m demo`: a hub between a stand-in PACS and RIS, on a morning of nine trusts."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from demo import folder, options, outcome, story, summary
from demo.client import Client
from demo.morning import MORNING
from demo.neighbours import Neighbours, read_sites
from demo.options import CannotStart, Options
from demo.own_hub import ROOT, OwnHub
from demo.stand_ins import Pacs, Ris
from demo.telling import Teller
from demo.usage import usage_events
from demo.watching import Watch

ADMIN = {"admin": "all hospitals, operations, dead letters"}
MORNING_LOGINS = {
    **ADMIN,
    "radiologist.ulleval": "the studies of Ullevål sykehus",
    "radiologist.kongsberg": "the studies of Kongsberg sykehus, one of which waits for acceptance",
    "officer.vestre-viken": "contracts and use of Vestre Viken HF; no patient",
}
# Made-up patients need no secret; a folder of the user's may hold real ones.
PASSWORD = "a-morning-in-norway"  # nosec B105 (as said above)


class Stopped(BaseException):
    """Somebody asked the demonstration to end."""


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; the exit code."""
    teller = Teller()
    asked = options.read(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        return _run(asked, teller)
    except CannotStart as fault:
        teller.say()
        teller.say(str(fault))
        return 1
    except OSError as fault:
        teller.say()
        teller.say(f"The hub, or what stands beside it, cannot be reached: {fault}")
        return 1
    except Stopped:
        teller.say()
        teller.say("Stopped; nothing is running any more.")
        return 0 if not asked.is_once else 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _run(asked: Options, teller: Teller) -> int:
    found = folder.look_into(asked.study) if asked.study else None
    sites = read_sites()
    if asked.site not in sites:
        raise CannotStart(f"There is no site {asked.site!r}: one of {', '.join(sites)}.")
    options.require_free_ports(asked.ports)
    password = secrets.token_urlsafe(12) if found else PASSWORD
    sees = {f"radiologist.{asked.site}": f"the studies of {sites[asked.site].name}"}
    logins = ADMIN | sees if found else MORNING_LOGINS
    with _everything(asked, teller) as watch:
        neighbours = Neighbours(watch.hub, sites)
        with _passwords_set(watch.hub, logins, password):
            if found is not None:
                is_well = _own_studies(found, asked.site, neighbours, watch)
            else:
                is_well = _morning(neighbours, watch, is_once=asked.is_once)
        if not is_well:
            teller.say()
            teller.say(f"What the hub wrote meanwhile ({watch.hub.log}) ends with:")
            teller.say(watch.hub.tail())
        if not asked.is_once:
            summary.tell_addresses(teller, watch.hub.url, logins, password)
            _stay(watch)
    teller.say()
    teller.say(f"{'All is well' if is_well else 'Not all is well'}, after {teller.seconds:.0f} s.")
    return 0 if is_well else 1


@contextmanager
def _everything(asked: Options, teller: Teller) -> Iterator[Watch]:
    """The hub, set up and open, between its PACS and its RIS; all of it ends afterwards."""
    teller.say("Avrop: a hub between the PACS, the RIS and the algorithms of nine hospital trusts")
    teller.say()
    hub = OwnHub(_state_folder(), asked.ports)
    pacs = ris = None
    try:
        pacs, ris = Pacs(port=asked.ports["pacs_port"]), Ris(port=asked.ports["ris_port"])
        teller.event("set-up", "", "database, and nine trusts under one framework agreement")
        hub.manage("migrate", "--verbosity=0")
        hub.manage("apply", str(hub.write_setup()))
        teller.event("set-up", "", "users, and the processes of the hub")
        hub.start()
        token = hub.manage("token", "admin").strip()
        hub.wait_until_open()
        teller.event("hub", "", f"open: {hub.url}, DICOM and HL7 on {_doors(asked)}")
        facilities = {site.facility: site.code for site in read_sites().values()}
        yield Watch(hub, Client(hub.url, token), pacs, ris, teller, facilities)
    finally:
        # A second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        hub.stop()
        for neighbour in (pacs, ris):
            if neighbour is not None:
                neighbour.close()
        if asked.study:
            hub.forget()


@contextmanager
def _passwords_set(hub: OwnHub, logins: Iterable[str], password: str) -> Iterator[None]:
    """Let people in, beside what is done meanwhile: hashing is slow on purpose."""

    def each() -> None:
        for name in logins:
            hub.manage("password", name, stdin=password + "\n")

    with ThreadPoolExecutor(1) as pool:
        setting = pool.submit(each)
        yield
        setting.result()


def _own_studies(found: folder.Found, site: str, neighbours: Neighbours, watch: Watch) -> bool:
    is_done = folder.send(found, site, neighbours, watch)
    folder.explain(found, neighbours, watch.teller)
    summary.tell_worklist(watch.teller, watch.client.worklist(state="all"))
    return is_done


def _morning(neighbours: Neighbours, watch: Watch, *, is_once: bool) -> bool:
    is_done = story.play(neighbours, watch, watch.hub.folder / "images")
    teller, client = watch.teller, watch.client
    rows = client.worklist(state="all")
    studies = {
        row["study_instance_uid"]: client.study(row["study_instance_uid"]) or {} for row in rows
    }
    usage = usage_events(watch.hub.environment())
    summary.tell_worklist(teller, rows)
    summary.tell_refusals(teller, list(studies.values()))
    sites = {case.study_instance_uid: case.site for case in MORNING}
    summary.tell_pacs(teller, watch.pacs, sites)
    summary.tell_ris(teller, watch.ris)
    summary.tell_usage(teller, usage)
    if not is_once:
        return is_done
    seen = outcome.Outcome(rows, studies, watch.pacs, watch.ris, usage)
    return outcome.is_as_expected(teller, seen) and is_done


def _state_folder() -> Path:
    return Path(os.environ.get("HUB_STATE_DIR") or ROOT / "var").resolve() / "demo"


def _doors(asked: Options) -> str:
    return f"{asked.ports['dicom_port']} and {asked.ports['hl7_port']}"


def _stay(watch: Watch) -> None:
    watch.teller.say()
    watch.teller.say("Ctrl-C ends it all.")
    while True:
        watch.look()
        threading.Event().wait(1.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
