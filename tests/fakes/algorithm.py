"""An algorithm for tests: does what its first argument says."""

import json
import os
import sys
import time
from pathlib import Path

ICH = {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}
BRAIN = {"value": "12738006", "scheme": "SCT", "meaning": "Brain"}


def main(behaviour: str) -> int:
    study = json.loads((Path(os.environ["HUB_INPUT_DIR"]) / "study.json").read_text())
    instance = study["series"][0]["instances"][0]
    if behaviour == "crash":
        print("the model file is broken")
        return 3
    if behaviour == "slow":
        time.sleep(float(sys.argv[2]))
    if behaviour == "silent":
        return 0
    finding = {"code": ICH, "status": "absent", "probability": 0.02}
    if behaviour in ("present", "slow"):
        finding = {
            "code": ICH,
            "status": "present",
            "probability": 0.97,
            "urgency": "stat",
            "site": BRAIN,
            "tracking_id": "ICH-1",
            "regions": [
                {
                    "sop_instance_uid": instance["sop_instance_uid"],
                    "frame": 1,
                    "polygon": [[2.0, 2.0], [9.0, 2.0], [9.0, 9.0], [2.0, 9.0]],
                }
            ],
        }
    if behaviour == "outside":
        finding["regions"] = [
            {"sop_instance_uid": instance["sop_instance_uid"], "frame": 1,
             "polygon": [[2.0, 2.0], [99999.0, 2.0], [9.0, 9.0]]}
        ]  # fmt: skip
    if behaviour == "stranger":
        finding["regions"] = [
            {"sop_instance_uid": "1.2.3", "frame": 1,
             "polygon": [[2.0, 2.0], [9.0, 2.0], [9.0, 9.0]]}
        ]  # fmt: skip
    document = {"schema": "hub.findings/1", "outcome": "complete", "findings": [finding]}
    if behaviour == "other":
        finding["code"] = BRAIN
    (Path(os.environ["HUB_OUTPUT_DIR"]) / "findings.json").write_text(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
