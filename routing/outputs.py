"""What an algorithm left in /output, held against its manifest and turned back to the patient."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _

from hub.dicom.objects import read_header_of, swells, uids_of_objects
from hub.dicom.reidentify import Originals, ReidentificationFailed, reidentify_file
from hub.dicom.sr import Region
from hub.dicom.streams import FileWindow
from hub.dicom.validate import (
    Expected,
    ReturnedObject,
    ReturnedObjectRefused,
    region_fits,
    validate_returned,
)
from hub.phrases import Phrase, phrase
from routing import run_files, staging, taking_in
from routing.copying import pseudonymiser_of
from routing.models import Finding, Instance, Result, Series, Workitem
from routing.places import desk, spool
from routing.surviving import prior_ids
from routing.worklist import URGENCY
from vendors.findings import LARGEST_FILE, Findings, FindingsInvalid
from vendors.findings import Finding as Stated
from vendors.manifest import Manifest, Urgency

# A finding this urgent raises the order's priority.
CRITICAL = frozenset({"stat", "high"})
_MOST_OBJECTS = 500
_LARGEST_OBJECT = 2 * 1024**3


class OutputRefused(Exception):
    """What the algorithm left may not be shown; ``why`` says which part and what was expected."""

    def __init__(self, why: Phrase) -> None:
        super().__init__(why.text)
        self.why = why


@dataclass(frozen=True, slots=True)
class Outputs:
    """Rows ready to be written: findings and returned objects, about the real patient."""

    findings: list[Finding]
    results: list[Result]


def read(workitem: Workitem, manifest: Manifest) -> Outputs:
    """Read, check and turn back everything; raises OutputRefused, and then nothing is kept."""
    own = desk(workitem)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, mode=0o700)
    try:
        return _read(workitem, manifest, own)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _read(workitem: Workitem, manifest: Manifest, own: Path) -> Outputs:
    run = staging.run_of(workitem, manifest)
    output_dir = run.output_dir
    if run.transfer is not None:
        output_dir = own / "output"
        try:
            run_files.lay_out(workitem, output_dir)
        except run_files.NoOutput as fault:
            raise OutputRefused(fault.why) from fault
    stated = _findings(output_dir, manifest)
    instances = _instances(workitem)
    originals = _originals(workitem, manifest, instances)
    rows = [
        _finding(workitem, ordinal, one, manifest, originals, instances)
        for ordinal, one in enumerate(stated.findings)
    ]
    objects = _objects(workitem, output_dir, own, originals)
    _require_promised(manifest, [one.modality for one in objects])
    # Kept only now: what is refused leaves nothing behind in the spool.
    return Outputs(rows, [_result(workitem, one) for one in objects])


def _findings(output_dir: Path, manifest: Manifest) -> Findings:
    path = output_dir / "findings.json"
    if not path.is_file() or path.is_symlink():
        raise OutputRefused(phrase(_("the algorithm left no findings.json")))
    try:
        with path.open("rb") as file:
            # One byte more than may be: enough to be refused, whatever its size.
            stated = Findings.from_bytes(file.read(LARGEST_FILE + 1))
    except FindingsInvalid as fault:
        words = _("findings.json is not as agreed: %(problems)s")
        raise OutputRefused(phrase(words, problems="; ".join(fault.problems[:5]))) from fault
    if stated.outcome != "complete":
        words = _("not analysed: %(reason)s")
        raise OutputRefused(phrase(words, reason=stated.reason))
    said = {(one.code.value, one.code.scheme) for one in stated.findings}
    for promised in manifest.returns.findings:
        if (promised.code.value, promised.code.scheme) not in said:
            words = _("findings.json says nothing about %(finding)s, which the manifest promises")
            raise OutputRefused(phrase(words, finding=promised.code.meaning))
    return stated


def _instances(workitem: Workitem) -> dict[str, Instance]:
    return {row.sop_instance_uid: row for row in workitem.input_instances()}


def _originals(
    workitem: Workitem, manifest: Manifest, instances: Mapping[str, Instance]
) -> Originals | None:
    """How to turn pseudonyms back; None where the algorithm was given the study as it is."""
    if manifest.needs.identity == "as_is":
        return None
    first = next(iter(instances.values()))
    return Originals.of(
        pseudonymiser_of(workitem.study),
        study_instance_uid=workitem.study.study_instance_uid,
        series_instance_uids=workitem.input_series,
        sop_instance_uids=instances,
        header=read_header_of(spool().fetched(first.key)),
        other_uids=staging.other_uids(workitem),
    )


def _finding(
    workitem: Workitem,
    ordinal: int,
    stated: Stated,
    manifest: Manifest,
    originals: Originals | None,
    instances: Mapping[str, Instance],
) -> Finding:
    urgency = _urgency(stated.urgency, manifest.returns.urgency_of(stated.code))
    is_present = stated.status == "present"
    return Finding(
        workitem=workitem,
        ordinal=ordinal,
        code=stated.code.as_json(),
        status=stated.status,
        probability=stated.probability,
        urgency=urgency or "",
        is_critical=is_present and urgency in CRITICAL,
        site_code=stated.site.as_json() if stated.site else None,
        laterality=stated.laterality or "",
        tracking_id=(stated.tracking_id or "")[:64],
        measurements=[
            {"code": one.code.as_json(), "value": one.value, "unit": one.unit}
            for one in stated.measurements
        ],
        regions=[_region(one, originals, instances) for one in stated.regions],
    )


def _urgency(stated: Urgency | None, declared: Urgency | None) -> Urgency | None:
    """What the algorithm says, never more urgent than what its manifest was cleared for."""
    if stated is None or declared is None:
        return stated or declared
    return max(stated, declared, key=lambda urgency: URGENCY[urgency])


def _region(
    region: Any, originals: Originals | None, instances: Mapping[str, Instance]
) -> dict[str, Any]:
    uid = region.sop_instance_uid
    uid = originals.uids.get(uid, uid) if originals else uid
    row = instances.get(uid)
    if row is None:
        words = _("a region names an image that is not in the input")
        raise OutputRefused(phrase(words))
    fault = region_fits(
        Region(uid, region.frame, region.polygon),
        rows=row.rows or 0,
        columns=row.columns or 0,
        number_of_frames=row.number_of_frames,
    )
    if fault:
        words = _("a region does not lie inside the image it names: %(why)s")
        raise OutputRefused(phrase(words, why=fault))
    return {
        "sop_instance_uid": uid,
        "frame": region.frame,
        "polygon": [list(point) for point in region.polygon],
    }


def _objects(
    workitem: Workitem, output_dir: Path, own: Path, originals: Originals | None
) -> list[ReturnedObject]:
    files = staging.output_files(output_dir)
    _refuse_too_much(files)
    siblings = uids_of_objects(files)
    if originals is not None:
        originals = originals.accepting(siblings)
    found = [
        _object(workitem, path, own / f"returned-{place:04}.dcm", originals, siblings)
        for place, path in enumerate(files)
    ]
    if len({one.sop_instance_uid for one in found}) < len(found):
        words = _("two returned objects have the same SOP Instance UID")
        raise OutputRefused(phrase(words))
    if found:
        # What has been received is what it may not stand in the place of.
        taking_in.take_in_all()
    for one in found:
        _refuse_taken(workitem, one)
    return found


def _refuse_too_much(files: list[Path]) -> None:
    if len(files) > _MOST_OBJECTS:
        words = _("%(count)s objects returned, at most %(most)s expected")
        raise OutputRefused(phrase(words, count=len(files), most=_MOST_OBJECTS))
    # By the bytes that a copy takes: a file with holes takes none while the run is watched.
    size = sum(path.stat().st_size for path in files)
    most = settings.HUB_OUTPUT_BYTES
    if size > most:
        words = _("%(size)s bytes of objects returned, at most %(most)s expected")
        raise OutputRefused(phrase(words, size=size, most=most))
    # Before anybody reads one: all of it would be inflated at once.
    for path in files:
        if swells(path):
            words = _("the returned object %(name)s is refused: %(why)s")
            why = "it is deflated from more bytes than are ever looked at"
            raise OutputRefused(phrase(words, name=path.name, why=why))


def _object(
    workitem: Workitem,
    path: Path,
    target: Path,
    originals: Originals | None,
    siblings: frozenset[str],
) -> ReturnedObject:
    try:
        if path.stat().st_size > _LARGEST_OBJECT:
            raise ReturnedObjectRefused("larger than 2 GiB", "PixelData")
        if originals is None:
            target = path
        else:
            reidentify_file(path, target, originals=originals)
        expected = _expected(workitem, siblings, has_own_name=originals is not None)
        return validate_returned(target, expected=expected)
    except (ReidentificationFailed, ReturnedObjectRefused) as fault:
        words = _("the returned object %(name)s is refused: %(why)s")
        raise OutputRefused(phrase(words, name=path.name, why=str(fault))) from fault


def _expected(
    workitem: Workitem, siblings: frozenset[str], *, has_own_name: bool
) -> Expected:
    """``has_own_name``: name and birth date were put back from a header, and need no look."""
    study = workitem.study
    return Expected(
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        issuer_of_patient_id=study.issuer_of_patient_id,
        patient_name="" if has_own_name else study.patient_name,
        patient_birth_date=(
            "" if has_own_name else str(study.header.get("patient_birth_date") or "")
        ),
        known_sop_instance_uids=frozenset(
            study.instances.values_list("sop_instance_uid", flat=True)
        ),
        known_series_instance_uids=frozenset(
            study.series.values_list("series_instance_uid", flat=True)
        ),
        sibling_sop_instance_uids=siblings,
        prior_patient_ids=prior_ids(study),
    )


def _result(workitem: Workitem, returned: ReturnedObject) -> Result:
    prefix = f"{workitem.study.site.code}/{workitem.uid.hex}"
    with returned.path.open("rb") as file:
        stored = spool().put_file(FileWindow(file, 0), prefix=prefix, suffix=".dcm")
    return Result(
        workitem=workitem,
        kind="returned",
        sop_class_uid=returned.sop_class_uid,
        sop_instance_uid=returned.sop_instance_uid,
        series_instance_uid=returned.series_instance_uid,
        title=returned.modality,
        key=stored.key,
    )


def _refuse_taken(workitem: Workitem, returned: ReturnedObject) -> None:
    """Refuse what a PACS would file with, or in place of, an object of somebody else."""
    sop_instance_uid = returned.sop_instance_uid
    if (
        Result.objects.filter(sop_instance_uid=sop_instance_uid).exists()
        or Instance.objects.filter(sop_instance_uid=sop_instance_uid).exists()
    ):
        words = _("a returned object has a SOP Instance UID that is already used")
        raise OutputRefused(phrase(words))
    series_instance_uid, study = returned.series_instance_uid, workitem.study
    received = Series.objects.filter(series_instance_uid=series_instance_uid)
    made = Result.objects.filter(series_instance_uid=series_instance_uid)
    uid = study.study_instance_uid
    if (
        received.exclude(study__study_instance_uid=uid).exists()
        or made.exclude(workitem__study__study_instance_uid=uid).exists()
    ):
        words = _("a returned object has the Series Instance UID of another study")
        raise OutputRefused(phrase(words))


def _require_promised(manifest: Manifest, modalities: list[str]) -> None:
    for promised in manifest.returns.dicom:
        if promised not in modalities:
            words = _("no %(modality)s object was returned, which the manifest promises")
            raise OutputRefused(phrase(words, modality=promised))
