"""A warm algorithm for tests: loads once, then takes one run after another; may crash or hang.

Its words: seconds to load, seconds for a run.
What it does with a run is in its input, as ``behaviour.txt``; left out, it answers ``present``.
"""

import json
import os
import sys
import time
from pathlib import Path

from tests.fakes import algorithm


def main() -> None:
    mailbox = Path(os.environ["HUB_OUTPUT_DIR"])
    assert os.environ["HUB_SERVING"] == "warm"
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    (mailbox / "ready").touch()
    served = []
    while True:
        request = mailbox / "request.json"
        if not request.exists() or (mailbox / "response.json").exists():
            time.sleep(0.01)
            continue
        asked = json.loads(request.read_text())
        served.append(asked["run"])
        print("a run", asked["run"], flush=True)
        time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
        answer(mailbox, asked, len(served))


def answer(mailbox: Path, asked: dict[str, str], number: int) -> None:
    os.environ["HUB_INPUT_DIR"] = str(mailbox / asked["input"])
    os.environ["HUB_OUTPUT_DIR"] = str(mailbox / asked["output"])
    told = mailbox / asked["input"] / "behaviour.txt"
    behaviour = told.read_text() if told.exists() else "present"
    if behaviour == "die":
        os._exit(9)
    if behaviour == "hang":
        time.sleep(600)
    note = {"pid": os.getpid(), "number": number, "seen": sorted(os.listdir(mailbox))}
    (mailbox / asked["output"] / "note.json").write_text(json.dumps(note))
    code = 3 if behaviour == "fail" else 0
    if (mailbox / asked["input"] / "study.json").exists():
        code = algorithm.main(behaviour)
    part = mailbox / "response.json.part"
    part.write_text(json.dumps({"run": asked["run"], "exit_code": code, "why": "it is broken"}))
    part.replace(mailbox / "response.json")


if __name__ == "__main__":
    main()
