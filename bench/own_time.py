"""The hub's own time: from the last byte of a 300-slice CT to its SR in the PACS.

    .venv/bin/python -m bench.own_time [--studies 20] [--slices 300] [--size 512]

Starts a hub on embedded defaults with a fresh state folder, sends each study with dcmtk's storescu
where it is installed (otherwise with pynetdicom), and takes away from the time that passes the
quiet time and the algorithm's own run, as its performer measured it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from pydicom.uid import generate_uid

from demo.phantoms import Patient, Shape, make_study, write_study
from demo.stand_ins import Pacs, Ris, send_study

ROOT = Path(__file__).resolve().parent.parent
QUIET_SECONDS = 3.0
SHORT_QUIET_SECONDS = 1.0
SETUP = """
version: 1
organisations: [{{code: trust, name: Trust, kind: hospital_trust, country: NO}}]
sites: [{{code: site, organisation: trust, name: Site, timezone: Europe/Oslo}}]
nodes:
  - {{code: pacs, site: site, protocol: dicom, ae_title: PACS, host: 127.0.0.1, port: {pacs},
     roles: [source, results]}}
  - {{code: ris, site: site, protocol: hl7, host: 127.0.0.1, port: {ris},
     roles: [orders, results, priority], hl7: {{version: "2.5.1", receiving_application: RIS,
     receiving_facility: SITE, charset: "UNICODE UTF-8", priority_message: OMI^O23}}}}
vendors: [{{code: vendor, name: Vendor, country: NO}}]
algorithms:
  - code: head-ct-bleed
    vendor: vendor
    name: Head CT bleed
    versions:
      - manifest: {manifest}
        clearance: {{regime: MDR, class: IIa, intended_use: Bench, udi_di: "09506000134352",
          certificate: {{number: C1, notified_body: "2460", issued: 2025-01-01,
          expires: 2035-01-01}}}}
frameworks:
  - code: F1
    title: Bench
    holder: trust
    supplier: vendor
    valid: {{from: 2026-01-01, to: 2029-12-31}}
    estimated_value: "1000000.00"
    maximum_value: "1000000.00"
    currency: NOK
    authorities: [{{organisation: trust, role: contracting_authority}}]
    price_book: [{{algorithm: head-ct-bleed, model: flat, tiers: [{{unit_price: "1.00"}}]}}]
call_offs:
  - code: C1
    framework: F1
    organisation: trust
    valid: {{from: 2026-01-01}}
    lines: [{{algorithm: head-ct-bleed, site: site, activated: 2026-01-01, volume_estimate: 1}}]
deployments:
  - {{site: site, algorithm: head-ct-bleed, version: 1.0.0, state: clinical, write_back: automatic}}
rules:
  - {{code: head-ct, site: site, algorithm: head-ct-bleed,
     when: {{all: [{{series.modality: {{equals: CT}}}}]}}}}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench and print its figures, the last line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512, help="rows and columns")
    options = parser.parse_args(arguments)
    # Without it the hub would outlive a bench that is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pacs, ris = Pacs(), Ris()
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        with _hub(state, pacs.port, ris.port) as (environment, dicom_port):
            own = [
                _one(state, environment, dicom_port, pacs, options, number)
                for number in range(options.studies + 1)
            ][1:]  # the first warms caches
    pacs.close()
    ris.close()
    figures = {
        "studies": options.studies,
        "slices": options.slices,
        "own_seconds_median": round(statistics.median(own), 3),
        "own_seconds_p95": round(sorted(own)[max(0, round(len(own) * 0.95) - 1)], 3),
        "own_seconds_max": round(max(own), 3),
        "processors": os.cpu_count(),
        # What else the machine did: above the number of processors the figures are too high.
        "load_before": round(busy, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(json.dumps(figures))
    return 0


def _one(
    state: Path,
    environment: dict[str, str],
    dicom_port: int,
    pacs: Pacs,
    options: argparse.Namespace,
    number: int,
) -> float:
    study = generate_uid()
    folder = state / f"study-{number}"
    patient = Patient(f"P{number}", f"Bench^{number}", date(1970, 1, 1), "F")
    write_study(
        folder,
        make_study(
            "head_ct",
            patient=patient,
            study_instance_uid=study,
            rng_seed=number,
            shape=Shape(is_abnormal=True, slices=options.slices, size=options.size),
        ),
    )
    # A scanner has a disk of its own: what it still has to write is not the hub's time.
    os.sync()
    _send(folder, dicom_port)
    sent_at = time.monotonic()
    while not pacs.of_study(study):
        if time.monotonic() - sent_at > 120:
            raise SystemExit(f"no SR for {study} within 120 s")
        time.sleep(0.002)
    passed = time.monotonic() - sent_at
    shutil.rmtree(folder)
    ran = _algorithm_seconds(environment, study)
    own = passed - SHORT_QUIET_SECONDS - ran
    print(f"study {number:3}: {passed:6.2f} s to the SR, algorithm {ran:5.2f} s, own {own:5.2f} s")
    return own


def _send(folder: Path, port: int) -> None:
    if storescu := shutil.which("storescu"):
        command = [storescu, "-R", "-aet", "PACS", "-aec", "HUB", "127.0.0.1", str(port), "+sd"]
        environment = {**os.environ, "TCP_NODELAY": "1"}
        subprocess.run([*command, str(folder)], check=True, env=environment)
        return
    files = sorted(folder.glob("*.dcm"))
    send_study(files, ae_title="PACS", hub_ae_title="HUB", host="127.0.0.1", port=port)


def _algorithm_seconds(environment: dict[str, str], study: str) -> float:
    """The algorithm's own run as the hub recorded it, from `manage.py explain`."""
    command = [sys.executable, str(ROOT / "manage.py"), "explain", study]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
        for line in told.splitlines():
            if "dispatched -> collected" in line:
                return float(line.rsplit(" after ", 1)[1].removesuffix(" s"))
    raise SystemExit(f"{study} was not collected")


@contextmanager
def _hub(state: Path, pacs_port: int, ris_port: int) -> Iterator[tuple[dict[str, str], int]]:
    ports = _free_ports(3)
    environment = {
        **os.environ,
        "HUB_STATE_DIR": str(state / "hub"),
        "HUB_HTTP_PORT": str(ports[0]),
        "HUB_DICOM_PORT": str(ports[1]),
        "HUB_HL7_PORT": str(ports[2]),
        "HUB_QUIET_SECONDS": str(QUIET_SECONDS),
        "HUB_SHORT_QUIET_SECONDS": str(SHORT_QUIET_SECONDS),
        "HUB_ALLOW_PROCESS_PERFORMER": "on",
    }
    setup = state / "setup.yaml"
    manifest = ROOT / "examples/algorithms/manifests/head-ct-bleed-1.0.0.json"
    setup.write_text(SETUP.format(pacs=pacs_port, ris=ris_port, manifest=manifest))
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
    subprocess.run([*manage, "apply", str(setup)], env=environment, check=True)
    hub = subprocess.Popen([*manage, "hub"], env=environment, stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    while "hub is open" not in hub.stdout.readline():
        if hub.poll() is not None:
            raise SystemExit("the hub did not start")
    try:
        yield environment, ports[1]
    finally:
        hub.terminate()
        hub.wait(30)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    raise SystemExit(main())
