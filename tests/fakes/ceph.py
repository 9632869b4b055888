"""A Ceph of one monitor, one OSD in memory and one object gateway, on loopback: a real S3 store."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.doors import is_open
from hub.supervisor import die_with_parent
from tests.fakes.ports import free_ports
from tests.fakes.s3 import ACCESS, Bucket, credentials
from tests.fakes.waiting import until

_NEEDED = (
    "ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin",
)  # fmt: skip
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{port}
mon initial members = a
public addr = 127.0.0.1
keyring = {folder}/keyring
run dir = {folder}
admin socket =
log file = {folder}/$name.log
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
rgw enable usage log = false
rgw thread pool size = 32
"""


def is_installed() -> bool:
    """Debian has it as ceph-common, ceph-mon, ceph-osd and radosgw."""
    return all(map(shutil.which, _NEEDED))


class Ceph:
    """Its daemons; each writes its log into the folder, and ends with this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.mon_port, self.port = free_ports(2)
        self._file = folder / "ceph.conf"

    def start(self) -> None:
        fsid = str(uuid.uuid4())
        told = {"fsid": fsid, "port": self.mon_port, "folder": self.folder}
        self._file.write_text(_CONFIGURATION.format(**told))
        map_, keys = self.folder / "monmap", self.folder / "keyring"
        keys.touch()
        for name in ("mon.", "client.admin", "osd.0"):
            self._run("ceph-authtool", keys, "--gen-key", "-n", name,
                      "--cap", "mon", "allow *", "--cap", "osd", "allow *")  # fmt: skip
        self._run("monmaptool", "--create", "--fsid", fsid,
                  "--addv", "a", f"[v2:127.0.0.1:{self.mon_port}]", map_)  # fmt: skip
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_, "--keyring", keys)
        self._daemon("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        (self.folder / "osd").mkdir()
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        until(lambda: "1 up" in self._run("ceph", "osd", "stat"), "the OSD is up", seconds=120)
        self._daemon("radosgw", "-n", "client.admin", "--rgw-frontends",
                     f"beast endpoint=127.0.0.1:{self.port}")  # fmt: skip
        until(lambda: is_open("127.0.0.1", self.port), "the gateway listens", seconds=180)
        keys = zip(("--access-key", "--secret-key"), ACCESS.values(), strict=True)
        self._run("radosgw-admin", "user", "create", "--uid", "avrop", "--display-name", "Avrop",
                  *(word for pair in keys for word in pair))  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self._started):
            process.kill()
            process.wait(30)

    def _run(self, program: str, *words: object) -> str:
        done = subprocess.run(
            [program, "-c", self._file, *map(str, words)], capture_output=True, text=True,
            timeout=120, check=False, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    def _daemon(self, program: str, *words: str) -> None:
        with (self.folder / f"{program}.out").open("wb") as output:
            self._started.append(subprocess.Popen(
                [program, "-c", str(self._file), "-f", *words], stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, cwd=self.folder, preexec_fn=die_with_parent,
            ))  # fmt: skip


@contextmanager
def object_gateway(folder: Path) -> Iterator[Bucket]:
    """One empty bucket of it, and its credentials in the environment."""
    ceph = Ceph(folder)
    try:
        ceph.start()
        with credentials():
            yield Bucket(ceph.port)
    finally:
        ceph.stop()
