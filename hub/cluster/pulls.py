"""Jobs that find out whether the cluster can pull an image, without running anything of it; pure.

The container is told to start a program that no image has. What comes of that says whether the
image was there to look for it in.
"""

from __future__ import annotations

import copy
from typing import Any

from hub.cluster.check import Line
from hub.cluster.failure import Failure
from hub.cluster.manifests import ALGORITHM
from hub.cluster.verdicts import RunVerdict

Json = dict[str, Any]

_NOTHING = "/avrop/is-not-there"
# these tell of the container, which is made from an image that is there
_PULLED = frozenset({Failure.CONFIGURATION, Failure.EXIT_CODE, Failure.MEMORY})
# these tell of the cluster, which came to no image
_BEFORE = frozenset({Failure.NO_PLACE, Failure.QUOTA, Failure.DISRUPTION})


def pull_of(manifest: Json, image: str) -> Json:
    """The Job of a run with one container of ``image``, which asks for little and starts nothing.

    Where it stands, with which Secrets, and behind which walls is as for any other run.
    """
    job = copy.deepcopy(manifest)
    template = job["spec"]["template"]
    pod = template["spec"]
    (algorithm,) = [one for one in pod.pop("initContainers") if one["name"] == ALGORITHM]
    few = {"cpu": "50m", "memory": "64Mi"}
    pod["containers"] = [
        {key: algorithm[key] for key in ("name", "imagePullPolicy", "securityContext")}
        | {"image": image, "command": [_NOTHING], "resources": {"requests": few, "limits": few}}
    ]
    del pod["volumes"]
    template["metadata"].pop("annotations", None)
    job["spec"]["ttlSecondsAfterFinished"] = 60
    # it would wait for Kueue's leave, and takes nothing that Kueue shares out
    job["metadata"]["labels"] = dict(template["metadata"]["labels"])
    job["spec"].pop("suspend", None)
    return job


def pulled(what: str, said: RunVerdict) -> Line:
    """What has become of it."""
    if said.state == "succeeded" or (said.state == "failed" and said.failure in _PULLED):
        return Line(what, "ok", "was pulled")
    why = said.why or "nothing was heard of it in time"
    return Line(what, "unseen" if said.failure in _BEFORE else "fails", why)
