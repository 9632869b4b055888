"""What is published about the set-up file is what the registry says."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hub.configuration import reference
from hub.configuration.document import parse, resolved
from hub.configuration.problems import Report
from tests.hub.configuration.setups import EXAMPLES, MANIFEST, SETUP, needs_examples

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "reference"


def schema(name: str) -> dict:
    return json.loads((PUBLISHED / name).read_text("utf-8"))


def faults(text: str) -> list[str]:
    """What the published schema finds in a set-up, read as the hub reads it."""
    published = schema("setup.schema.json")
    data = resolved(parse(text.encode(), name="", report=Report()), published)
    return [error.json_path for error in Draft202012Validator(published).iter_errors(data)]


def test_the_published_schema_is_made_from_the_registry():
    text = (PUBLISHED / "setup.schema.json").read_text("utf-8")
    assert text == json.dumps(reference.schema(), indent=2, ensure_ascii=False) + "\n", (
        "run: manage.py export --schema docs/reference/setup.schema.json"
    )
    Draft202012Validator.check_schema(reference.schema())


def test_the_published_tables_are_made_from_the_registry():
    page = (PUBLISHED / "setup-file.md").read_text("utf-8")
    assert page.endswith(reference.tables()), "put `manage.py export --fields` at the page's end"


def test_the_published_manifest_schema_is_the_one_in_use():
    used = json.loads((ROOT / "vendors" / "manifest.schema.json").read_text("utf-8"))
    assert schema("manifest.schema.json") == used


def test_the_schema_takes_a_set_up():
    assert faults(SETUP) == []
    Draft202012Validator(schema("manifest.schema.json")).validate(MANIFEST)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 2576", "port: 70000"), ("port: 2576", 'port: "2576"'),
        ("  - code: bleed\n", "  -\n"),
        ("country: NO, org", "contry: NO, org"), ("{at_least: 10}", "{at_leest: 10}"),
        ('"33000000.00"', "lots"), ("role: administrator", "role: admin"),
        ("2029-12-31", "soon"), ("rules:", "rulez:"), ("version: 1\n", "version: 2\n"),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_apply_refuses(old, new):
    assert faults(SETUP.replace(old, new, 1)) != []


@needs_examples
def test_the_schemas_take_the_shared_examples():
    assert faults((EXAMPLES / "first-site.yaml").read_text("utf-8")) == []
    manifest = json.loads((EXAMPLES / "ich-triage-1.0.0.json").read_text("utf-8"))
    Draft202012Validator(schema("manifest.schema.json")).validate(manifest)
