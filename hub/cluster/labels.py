"""How the hub marks what is its own in a cluster; nothing of a patient is ever among it.

A label holds at most 63 characters, a DICOM UID up to 64, and a Study Instance UID is a patient's:
the Workitem's uid finds the study for whoever may ask the hub.
"""

from __future__ import annotations

MANAGED_BY = "app.kubernetes.io/managed-by"
HUB = "avrop"
RUN = "hub.avrop/run"
WORKITEM = "hub.avrop/workitem"
ALGORITHM = "hub.avrop/algorithm"
SPEC_HASH = "hub.avrop/spec-hash"
# what the algorithm itself may take, from its start
TIMEOUT_SECONDS = "hub.avrop/timeout-seconds"
INPUT_TOKEN = "hub.avrop/input-token"  # nosec B105: the name of an annotation
OUTPUT_TOKEN = "hub.avrop/output-token"  # nosec B105: the name of an annotation
SERVER_TOKEN = "hub.avrop/server-token"  # nosec B105: the name of an annotation
CA = "hub.avrop/ca"
# a server that takes one run after another
SERVING = "hub.avrop/serving"
WARM = "warm"
# of a NetworkPolicy: the pods that may reach the hub, and nothing else
KIND = "hub.avrop/kind"
RUN_KIND = "run"
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"

SELECTOR = f"{MANAGED_BY}={HUB}"
