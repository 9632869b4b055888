"""What an algorithm is given, and what it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from routing.models import Workitem
from tests.builders.studies import PATIENT, head_ct, send
from tests.routing.conftest import Place

# An engine that starts nothing, and keeps what it was told: arguments, environment, and the input.
ENGINE = """#!/bin/sh
[ "$1" = container ] && { echo "no such container" >&2; exit 1; }
[ "$1" = run ] || exit 0
{ printf '%s\\n' "$@"; env; } > "$(dirname "$0")/told"
for one in "$@"; do case $one in
    *:/input:ro) cp -r "${one%:/input:ro}" "$(dirname "$0")/input" ;;
esac; done
"""


def test_images_with_text_in_them_reach_an_algorithm_that_may_have_them(place: Place) -> None:
    place.rows.version.manifest["needs"]["allow_burned_in"] = True
    place.rows.version.save()
    send(place.rows.pacs, head_ct(BurnedInAnnotation="YES"))
    place.work()
    assert len(place.pacs.of_study(place.study.study_instance_uid)) == 1


def test_images_with_text_in_them_reach_no_other_algorithm(place: Place) -> None:
    send(place.rows.pacs, head_ct(BurnedInAnnotation="YES"))
    place.work()
    (item,) = Workitem.objects.all()
    assert item.state == Workitem.State.FAILED
    assert "cannot be de-identified" in item.why["text"]
    assert place.pacs.received == []
    assert place.ris.received == []


def test_neither_arguments_nor_labels_nor_names_of_files_tell_who_the_patient_is(
    place: Place, tmp_path: Path, settings: Any
) -> None:
    engine = tmp_path / "podman"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    settings.HUB_CONTAINER_COMMAND = str(engine)
    manifest = place.rows.version.manifest
    manifest["performer"] = {
        "kind": "container", "image": "registry.example.org/ich@sha256:" + "0" * 64
    }  # fmt: skip
    place.rows.version.save()
    number = int(PATIENT.patient_id[:8])
    send(place.rows.pacs, head_ct(SeriesNumber=number))
    place.work(until=(tmp_path / "told").exists)
    study = place.study
    told = (tmp_path / "told").read_text()
    names = "\n".join(str(one) for one in (tmp_path / "input").rglob("*"))
    instances = study.instances.values_list("sop_instance_uid", flat=True)
    secrets = [
        "snes", PATIENT.patient_id, str(number), "19720913", study.study_instance_uid,
        study.accession_number + "\n", *instances,
    ]  # fmt: skip
    for said in (told, names):
        assert [one for one in secrets if one.casefold() in said.casefold()] == []
    assert "HUB_INPUT_DIR=/input" in told
    assert "SECRET" not in told


def test_an_instance_numbered_by_the_patient_has_no_number_in_study_json(
    place: Place, tmp_path: Path
) -> None:
    place.algorithm_does("copy_input", str(tmp_path), module="tests.fakes.odd_algorithm")
    numbered = head_ct(PatientID="44712")
    numbered[0].InstanceNumber = 44712
    send(place.rows.pacs, numbered)
    place.work()
    told = (tmp_path / "input" / "study.json").read_text()
    assert "44712" not in told
    numbers = [one["instance_number"] for one in json.loads(told)["series"][0]["instances"]]
    assert None in numbers
    assert set(range(2, 13)) <= set(numbers)
