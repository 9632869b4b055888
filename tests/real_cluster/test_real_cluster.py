"""The performer and the whole way against a real cluster: real images, real walls, real failures.

`make test-kubernetes` with KUBECONFIG and HUB_TEST_ALGORITHM_IMAGE, the image of the example
algorithms by digest, pullable by (or present on) the nodes. docs/how-to/run-on-kubernetes.md has
the further variables.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.fakes.waiting import until
from tests.real_cluster.real_hub import Real, algorithm_of

WHY = {
    "crashes": "ended with exit code 1",
    "refuses": "ended with exit code 65",
    "overeats": "out of memory: the limit is 64Mi",
    "hangs": "timed out after 5 s",
}
WAITING = ("greedy", "absent")
# a registry that answers is asked twice within this
PULL_SECONDS = 180.0


def test_the_example_algorithm_reads_a_head_and_the_pacs_gets_its_report(real: Real) -> None:
    scan = real.send("head", slices=28, size=256)
    item = real.ended(scan)
    assert item["state"] == "written_back", item["why"]
    assert len(real.region.doors["drammen"].pacs.of_study(scan.uid)) >= 1
    assert real.region.usage(scan) == 1


def test_the_walls_stand_where_an_algorithm_tries_them(real: Real) -> None:
    """And with HUB_TEST_WALL_SECONDS that it waited until they stood."""
    item = real.ended(real.send("finds"))
    assert item["state"] == "written_back", item["why"]


def test_failures_are_told_apart(real: Real) -> None:
    scans = {does: real.send(does) for does in WHY}
    for does, why in WHY.items():
        item = real.ended(scans[does], seconds=600)
        assert item["state"] == "failed", does
        assert why in item["why"], does
        assert real.region.usage(scans[does]) == 0


def test_an_image_that_is_missing_is_told_from_a_registry_that_is_away(
    real: Real, leave_out: Callable[[str], None]
) -> None:
    scan, end = real.send("absent"), time.monotonic() + PULL_SECONDS

    def stands() -> tuple[str, str]:
        (item,) = real.region.study(scan)["workitems"] or [{"state": "", "why": ""}]
        return item["state"], item["why"]

    until(lambda: stands()[0] == "failed" or time.monotonic() > end, "it ends", seconds=300)
    state, why = stands()
    assert real.region.usage(scan) == 0
    if state == "failed":
        assert "the registry has no such image" in why or "the registry refuses the image" in why
        return
    assert "waits for the image, which could not be pulled yet" in why
    leave_out("the registry of HUB_TEST_ALGORITHM_IMAGE does not answer the nodes")


def test_who_asks_for_more_than_there_is_waits_and_says_so(real: Real) -> None:
    scan = real.send("greedy")

    def why() -> str:
        (item,) = real.region.study(scan)["workitems"] or [{"why": ""}]
        return item["why"] if "waits for room" in item["why"] else ""

    assert "of those that wait" in until(why, "it says what it waits for", seconds=120)


def test_nothing_is_left_of_what_is_over(real: Real) -> None:
    def left() -> list[str]:
        # who waits for room, or for a registry, is not over
        return [code for code in map(algorithm_of, real.jobs()) if code not in WAITING]

    until(lambda: not left(), "all Jobs are deleted", seconds=120)


def test_cluster_check_with_its_probe_says_what_is_so(real: Real) -> None:
    # a registry that does not answer the nodes is waited for as long as the probe waits for one
    said = real.hub.manage("cluster", "check", "--probe", is_fine=False, seconds=1500)
    for line in ("right to jobs", "right to deployments", "a Job of the hub", "Pod Security",
                 "PriorityClass hub-stat", "network: default deny", "probe: the hub is reached",
                 "probe: the root is read-only", "probe: it has no account",
                 "probe: image of", "storage of the hub", "storage of runs"):  # fmt: skip
        assert f"ok     {line}" in said, said
