"""A Job that tries out what runs hang on: the way to the hub, the walls, the volumes; pure.

Policies of the network are kept by every API server, and enforced only where something does it:
to try is the only way to know.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hub.cluster.check import Line
from hub.cluster.pods import WALL
from hub.cluster.verdicts import RunVerdict

Json = dict[str, Any]

# Each prints lines "NAME: ok" or "NAME: what was found"; all on the standard library.
_TO_HUB = """
import sys, urllib.request
try:
    with urllib.request.urlopen({url!r} + '/health/live', timeout=10) as answer:
        print('the hub is reached: ok' if answer.status == 200 else answer.status)
except Exception as fault:
    print('the hub is reached: no:', fault)
open('/input/probe', 'w').write('x')
print('the input volume takes files: ok')
"""
_WALLS = """
import os, socket, time
def reach(what, host, port):
    began, last = time.monotonic(), None
    while time.monotonic() - began < 15:
        try:
            socket.create_connection((host, port), 5).close()
        except OSError:
            break
        last = time.monotonic() - began
        time.sleep(0.5)
    else:
        print(what + ': no: a connection to ' + host + ' was made')
        return
    if last is None:
        print(what + ': ok')
        return
    print(what + ': no: in the first %.0f s a connection to ' % (last + 0.5) + host + ' was made; '
          'with HUB_CLUSTER_WALL_SECONDS algorithms begin after them')
host = os.environ.get('KUBERNETES_SERVICE_HOST')
if host:
    port = int(os.environ.get('KUBERNETES_SERVICE_PORT', 443))
    reach('the API server is out of reach', host, port)
reach('the internet is out of reach', '1.1.1.1', 443)
def refuse(what, path):
    try:
        open(path, 'w').write('x')
        print(what + ': no: ' + path + ' was written')
    except OSError:
        print(what + ': ok')
refuse('the root is read-only', '/probe')
refuse('the input is read-only', '/input/probe2')
print('it is no root: ok' if os.getuid() else 'it is no root: no')
account = os.path.exists('/var/run/secrets/kubernetes.io')
print('it has no account: no' if account else 'it has no account: ok')
print('it sees no token: no' if os.path.exists('/var/run/hub') else 'it sees no token: ok')
open('/output/probe', 'w').write('x')
print('the output volume takes files: ok')
"""
_BACK = """
print('the output is passed on: ' + ('ok' if open('/output/probe').read() == 'x' else 'no'))
"""


def probe_of(manifest: Json, *, image: str, program: str, hub_url: str) -> Json:
    """The Job of a run, in which all three containers try things out in place of their work."""
    probe = copy.deepcopy(manifest)
    pod = probe["spec"]["template"]["spec"]
    programs = (_TO_HUB.format(url=hub_url.rstrip("/")), _WALLS, _BACK)
    # who waits for the wall does so here too: it is tried as it stands when an algorithm begins
    ours = [one for one in (*pod["initContainers"], *pod["containers"]) if one["name"] != WALL]
    for one, text in zip(ours, programs, strict=True):
        one["image"] = image
        one["command"] = [program, "-c", text]
        one.pop("args", None)
    probe["spec"]["ttlSecondsAfterFinished"] = 60
    return probe


def said_of(said: RunVerdict, logs: Sequence[str]) -> Iterator[Line]:
    """What a probe found out: a line for each thing that it tried."""
    for line in "\n".join(logs).splitlines():
        what, colon, found = line.partition(": ")
        if colon and found.split(":")[0] in ("ok", "no"):
            advice = found.removeprefix("no").lstrip(": ") or "see docs/how-to/run-on-kubernetes.md"
            yield Line(f"probe: {what}", "ok" if found == "ok" else "fails",
                       "tried" if found == "ok" else advice)  # fmt: skip
    if said.state == "succeeded":
        yield Line("probe", "ok", "an image was pulled, and a Job came to its end")
    else:
        yield Line("probe", "fails", said.why or "it did not end in time")
