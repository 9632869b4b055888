"""What the pages show is taken by the hub: set-ups apply, manifests and findings are valid."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from demo.phantoms import Patient, Shape, make_study, write_study
from hub.hl7.er7 import Message
from hub.hl7.parse import read_orders
from routing import conditions
from tests.docs import pages
from vendors.findings import Findings
from vendors.manifest import Manifest

FIRST_SITE = "docs/tutorials/first-site.md"
FIRST_ALGORITHM = "docs/tutorials/first-algorithm.md"
NILS = Patient("31129956715", "Dahl^Nils", date(1999, 12, 31), "M")


def _block(page: str, language: str, containing: str = "") -> str:
    return next(
        block.text
        for block in pages.blocks(page)
        if block.language == language and containing in block.text
    )


def _apply(*files: Path) -> str:
    said = StringIO()
    call_command("apply", *map(str, files), stdout=said)
    return said.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that a reader of both tutorials has saved."""
    (tmp_path / "examples").symlink_to(pages.ROOT / "examples")
    (tmp_path / "first-site.yaml").write_text(_block(FIRST_SITE, "yaml"))
    (tmp_path / "liver-lesion.yaml").write_text(_block(FIRST_ALGORITHM, "yaml"))
    program = tmp_path / "liver_lesion"
    program.mkdir()
    (program / "__main__.py").write_text(_block(FIRST_ALGORITHM, "python"))
    (program / "manifest.json").write_text(_block(FIRST_ALGORITHM, "json"))
    return tmp_path


@pytest.mark.django_db
def test_the_set_ups_of_the_tutorials_apply_as_they_say(folder: Path) -> None:
    said = _apply(folder / "first-site.yaml").splitlines()[-1]
    assert f"`{said}`" in pages.text_of(FIRST_SITE)
    assert _apply(folder / "first-site.yaml") == "nothing to change\n"
    assert _apply(folder / "liver-lesion.yaml").splitlines()[-1] == "applied: 5 to create"


def test_the_order_of_the_tutorial_is_taken() -> None:
    text = _block(FIRST_SITE, "hl7").replace("\n", "\r")
    (order,) = read_orders(Message.from_bytes(text.encode()))
    assert order.study_instance_uid == "2.25.4711"
    assert order.priority == "ROUTINE"


@pytest.mark.parametrize(("is_abnormal", "status"), [(True, "present"), (False, "absent")])
def test_the_algorithm_of_the_tutorial_finds_what_is_there(
    folder: Path, is_abnormal: bool, status: str
) -> None:
    images = make_study("abdomen_ct", patient=NILS, shape=Shape(is_abnormal=is_abnormal))
    files = write_study(folder / "in" / "dicom", images)
    instances = [
        {"sop_instance_uid": image.SOPInstanceUID, "path": str(file.relative_to(folder / "in"))}
        for image, file in zip(images, files, strict=True)
    ]
    (folder / "in" / "study.json").write_text(json.dumps({"series": [{"instances": instances}]}))
    (folder / "out").mkdir()
    environment = {**os.environ, "HUB_INPUT_DIR": "in", "HUB_OUTPUT_DIR": "out"}
    command = [sys.executable, "-m", "liver_lesion"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    found = Findings.from_bytes((folder / "out" / "findings.json").read_bytes())
    assert [finding.status for finding in found.findings] == [status]


def _json_blocks() -> list[Any]:
    return [
        pytest.param(json.loads(block.text), id=f"{pages.name_of(page)}-{place}")
        for page in pages.pages()
        for place, block in enumerate(pages.blocks(pages.name_of(page)))
        if block.language == "json" and block.text.startswith("{\n")
    ]


@pytest.mark.parametrize("shown", _json_blocks())
def test_every_manifest_and_findings_file_shown_is_valid(shown: Any) -> None:
    kind = shown.get("schema")
    if kind == "hub.manifest/1":
        Manifest.from_json(shown)
    elif kind == "hub.findings/1":
        Findings.from_json(shown)
    else:
        assert kind == "hub.study/1"


def _rules() -> list[Any]:
    found = []
    for page in pages.pages():
        for block in pages.blocks(pages.name_of(page)):
            if block.language == "yaml" and re.search(r"^rules:", block.text, re.MULTILINE):
                found += [
                    pytest.param(rule["when"], id=f"{page.stem}-{rule['code']}")
                    for rule in yaml.safe_load(block.text)["rules"]
                ]
    return found


@pytest.mark.parametrize("when", _rules())
def test_every_rule_shown_may_be_activated(when: Any) -> None:
    assert conditions.check(when) == []


def test_the_sample_messages_are_those_that_leave() -> None:
    golden = [
        path.read_text("utf-8").splitlines()
        for path in (pages.ROOT / "tests/golden/hl7").glob("*2.5.1.hl7")
    ]
    shown = [b for b in pages.blocks("docs/reference/hl7-interface.md") if b.language == "hl7"]
    assert len(shown) == 3
    for block in shown:
        assert any(set(block.text.splitlines()) <= set(lines) for lines in golden)


def test_the_price_of_the_page_on_prices_is_what_is_charged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "docs/reference/prices.md"
    (tmp_path / "setup.yaml").write_text(_block(page, "yaml"), "utf-8")
    (tmp_path / "usage.json").write_text(_block(page, "json", '"quantity": 520'), "utf-8")

    call_command("price", str(tmp_path / "setup.yaml"), str(tmp_path / "usage.json"))

    assert json.loads(capsys.readouterr().out) == json.loads(_block(page, "json", '"invoices"'))
