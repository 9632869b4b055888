import json

import pytest
import yaml

from hub.configuration.exporting import export_text, export_to
from hub.models import Node, Organisation, Site, User
from routing.models import Rule
from tests.hub.configuration.setups import (
    EXAMPLES,
    MANIFEST,
    SETUP,
    applied,
    needs_examples,
    write,
)

pytestmark = pytest.mark.django_db


def test_what_is_exported_inline_changes_nothing_when_applied(tmp_path):
    applied(write(tmp_path))
    text = export_text()
    assert applied(write(tmp_path, text, name="inline.yaml"), is_pruning=True).lines == []


def test_what_is_exported_to_a_file_has_its_manifests_beside_it(tmp_path):
    applied(write(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    paths = export_to(out)
    assert paths == [out / "manifests" / "bleed.json", out / "setup.yaml"]
    assert json.loads(paths[0].read_text()) == MANIFEST
    assert applied(str(paths[1]), is_pruning=True).lines == []


def test_an_export_makes_the_same_set_up_in_an_empty_database(tmp_path):
    applied(write(tmp_path))
    text = export_text()
    applied(write(tmp_path, "version: 1\nvendors: [{code: v, name: V}]\n"), is_pruning=True)
    assert not Organisation.objects.exists()
    applied(write(tmp_path, text), is_pruning=True)
    assert export_text() == text


def test_a_manifest_from_elsewhere_is_exported_into_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    name = write(tmp_path / "a")
    text = (tmp_path / "a" / "setup.yaml").read_text().replace("manifests/", "../a/manifests/")
    applied(write(tmp_path / "b", text))
    out = export_to(tmp_path / "b" / "out.yaml")
    assert out[0] == tmp_path / "b" / "manifests" / "bleed-1.10.json"
    assert applied(str(out[1])).lines == []
    assert name


def test_no_password_and_no_token_is_exported(tmp_path):
    applied(write(tmp_path))
    user = User.objects.get(username="admin")
    user.set_password("correct horse battery")
    user.save()
    text = export_text()
    assert "password" not in text.replace("`manage.py password`", "")
    assert user.password not in text


def test_texts_that_look_like_something_else_come_back_as_texts(tmp_path):
    applied(write(tmp_path))
    odd = ["1.10", "007", "1e5", "true", "null", "~", "2026-01-01", "- x", "a: b", "#", "Bærum"]
    Rule.objects.update(when={"all": [
        {"series.modality": {"in": odd}}, {"order.exists": {"exists": True}},
        {"series.slice_thickness": {"at_most": 0.000001}}, {"study.series_count": {"at_least": 2}},
    ]})  # fmt: skip
    Node.objects.filter(code="drammen-pacs").update(ae_title="1E5")
    Organisation.objects.filter(code="vv").update(name="yes: 'no' \"maybe\" #1")
    text = export_text()
    assert applied(write(tmp_path, text), is_pruning=True).lines == []


def test_rows_made_without_a_file_are_exported_and_agree(tmp_path):
    organisation = Organisation.objects.create(code="x", name="X")
    organisation.sites.create(code="y", name="Y").nodes.create(
        code="z", protocol="dicom", ae_title="Z"
    )
    User.objects.create_user("someone")
    assert applied(write(tmp_path, export_text()), is_pruning=True).lines == []


def test_how_long_a_site_keeps_comes_back_and_may_be_taken_out_again(tmp_path):
    kept = SETUP.replace(
        "timezone: Europe/Oslo}", "timezone: Europe/Oslo, retention: {studies: 30, audit: 184}}"
    )
    applied(write(tmp_path, kept))
    assert Site.objects.get().retention == {
        "studies": 30, "unread": None, "unresolved": None, "set_aside": None, "orders": None,
        "messages": None, "audit": 184,
    }  # fmt: skip
    assert applied(write(tmp_path, export_text()), is_pruning=True).lines == []
    applied(write(tmp_path))
    assert Site.objects.get().retention == {}


def test_an_export_reads_the_same_in_any_yaml_reader(tmp_path):
    applied(write(tmp_path))
    data = yaml.safe_load(export_text())
    assert data["organisations"][1]["organisation_number"] == "914637651"
    assert data["organisations"][0]["country"] == "NO"
    assert data["deployments"][0]["version"] == "1.10"
    assert data["frameworks"][0]["valid"] == {"from": "2026-01-01", "to": "2029-12-31"}


@needs_examples
def test_the_shared_example_comes_back(tmp_path):
    applied(str(EXAMPLES / "first-site.yaml"))
    paths = export_to(tmp_path)
    assert [path.name for path in paths] == ["ich-triage-1.0.0.json", "setup.yaml"]
    assert applied(str(paths[1]), is_pruning=True).lines == []
