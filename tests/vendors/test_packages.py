"""Packages of other conventions find the folders of a run, and become drafts of manifests."""

from __future__ import annotations

from typing import Any

import pytest

from vendors.packages import PackageInvalid, environment, performer_of_map, performer_of_mercure

IMAGE = "registry.example.org/a@sha256:" + "0" * 64


def test_each_convention_finds_the_same_two_folders() -> None:
    for packaging, reads, writes in (
        ("map", "HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH"),
        ("mercure", "MERCURE_IN_DIR", "MERCURE_OUT_DIR"),
    ):
        found = environment(packaging, input_dir="/in", output_dir="/out")
        assert (found[reads], found[writes]) == ("/in", "/out")
    assert environment("hub", input_dir="/in", output_dir="/out") == {}


def test_a_mercure_module_gives_its_resources_and_its_time() -> None:
    module = {"docker_tag": "a:1", "resources": {"memory": "500M", "gpu": "1"}, "timeout": 60}
    assert performer_of_mercure(module, image=IMAGE) == {
        "kind": "container", "image": IMAGE, "packaging": "mercure", "command": [],
        "resources": {"memory": "500M", "gpu": 1}, "timeout_seconds": 60,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("app", "package", "field"),
    [
        ({}, {}, "app.command"), ({"command": [1]}, {}, "app.command"),
        ({"command": "a", "timeout": 1.5}, {}, "app.timeout"),
        ({"command": "a"}, {"resources": []}, "package.resources"),
        ({"command": "a"}, {"resources": {"cpu": True}}, "resources.cpu"),
        ({"command": "a"}, {"resources": {"gpu": "\u00b2"}}, "resources.gpu"),
        ({"command": "a"}, {"resources": {"memory": "0Gi"}}, "resources.memory"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(app: Any, package: Any, field: str) -> None:
    with pytest.raises(PackageInvalid) as refused:
        performer_of_map(app, package, image=IMAGE)
    assert refused.value.field == field
