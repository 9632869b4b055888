"""What an algorithm is given: its input in /input, de-identified unless it was granted more."""

from __future__ import annotations

import errno
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from hub.dicom.deidentify import OLDEST_YEARS
from hub.dicom.objects import read_header_of
from routing import lease, run_files, run_tokens, serving
from routing.copying import Copier
from routing.facts import patient_age_years
from routing.models import Instance, Series, Workitem
from routing.pathway import Overtaken
from routing.places import desk, spool, work_folder, work_root
from vendors.manifest import Manifest
from vendors.performers.base import (
    Limits,
    Performer,
    PerformerRefused,
    Run,
    SubmitFailed,
    performer_for,
)

log = structlog.get_logger(__name__)

# Where a run is being prepared, or goes on
AT_WORK = (Workitem.State.ENTITLED, Workitem.State.DISPATCHED)
# Reading and writing release the interpreter: two threads keep the disk busy while one computes.
_THREADS = 2


def performer_of(manifest: Manifest) -> Performer:
    """The Performer that the manifest asks for; raises PerformerRefused where it is not allowed."""
    performer = performer_for(
        manifest.performer.kind,
        {
            "process": {
                "is_allowed": settings.HUB_ALLOW_PROCESS_PERFORMER,
                "program_dir": settings.BASE_DIR,
            },
            "container": {
                "command": settings.HUB_CONTAINER_COMMAND,
                "args": settings.HUB_CONTAINER_ARGS,
                "run_args": settings.HUB_CONTAINER_RUN_ARGS,
            },
            "kubernetes": cluster_settings(),
        },
    )
    return serving.kept_warm(performer, manifest)


def cluster_settings() -> dict[str, Any]:
    """What the performer ``kubernetes`` is set up with."""
    return settings.HUB_CLUSTER | {
        "wait_seconds": int(settings.HUB_ENGINE_PATIENCE_SECONDS),
        "hub_url": settings.HUB_CLUSTER_HUB_URL,
    }


def run_of(workitem: Workitem, manifest: Manifest, *, number: int | None = None) -> Run:
    """The run of a Workitem, named from its uid and number: starting it twice starts one.

    ``number`` is that of an earlier run; the present one otherwise.
    """
    folder = work_folder(workitem)
    number = workitem.runs if number is None else number
    return Run(
        name=f"{workitem.uid.hex}-{number}",
        spec=manifest.performer,
        # Who wakes with the number of an earlier run finds no input to start it with.
        input_dir=folder / (f"input-{number}" if number else "input"),
        output_dir=folder / "output",
        work_dir=folder / "work",
        limits=Limits(
            output_bytes=settings.HUB_OUTPUT_BYTES, least_free_bytes=_least_free_bytes()
        ),
        transfer=run_tokens.transfer_of(workitem, manifest.performer),
        priority=workitem.priority,
        labels={
            "workitem": str(workitem.uid), "algorithm": manifest.algorithm,
            "site": workitem.study.site.code,
        },
        group=serving.group_of(workitem),
    )


def require_room() -> None:
    """Raise OSError where the disk is so full that a run would be stopped at once."""
    root = work_root()
    root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(root).free < _least_free_bytes():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _least_free_bytes() -> int:
    # Runs are stopped well before the hub itself must refuse what it is sent.
    return 2 * settings.HUB_MINIMUM_FREE_BYTES


def stage(workitem: Workitem, manifest: Manifest) -> Run:
    """Lay the input out anew and return the Run.

    All is made on the desk of who holds the lease, and put in its place whole, while the row is
    locked: a worker that was paused for longer than its lease, and does not know it, changes
    nothing under the run of who took over. Raises DeidentificationFailed, OSError, Overtaken.
    """
    run = run_of(workitem, manifest)
    draft = desk(workitem)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        input_dir = draft / run.input_dir.name
        others = _lay_out(workitem, manifest, input_dir)
        if run.transfer is not None:
            run = run_files.offer(workitem, run, input_dir, other_uids=others)
        _put_in_place(draft, workitem)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return run


def _lay_out(workitem: Workitem, manifest: Manifest, input_dir: Path) -> list[str]:
    """Fill the three folders of a run; the further original UIDs of its input."""
    draft = input_dir.parent
    for place in (input_dir, draft / "output", draft / "work"):
        place.mkdir()
    instances = list(workitem.input_instances())
    others: list[str] = []
    if manifest.needs.identity == "as_is":
        staged = [_link(input_dir, place, one) for place, one in enumerate(instances)]
        study_instance_uid = workitem.study.study_instance_uid
    else:
        copier = Copier(workitem.study, manifest)
        staged, others = _pseudonymise(input_dir, instances, copier)
        study_instance_uid = copier.pseudonymiser.uid(workitem.study.study_instance_uid)
    description = _describe(workitem, study_instance_uid, staged)
    if manifest.needs.identity != "as_is":
        _tell_no_more_than_the_files(description, input_dir)
    (input_dir / "study.json").write_text(json.dumps(description, ensure_ascii=False))
    return others


def _put_in_place(draft: Path, workitem: Workitem) -> None:
    folder = work_folder(workitem)
    with lease.locked(workitem):
        before = _taken_away(folder, workitem)
        draft.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def _taken_away(folder: Path, workitem: Workitem) -> Path:
    """Where a folder is now that was given another name, which takes no longer than a lock may."""
    gone = desk(workitem).with_suffix(f".{workitem.fence}-gone")
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(gone)
    return gone


def end_earlier(workitem: Workitem, manifest: Manifest, performer: Performer) -> None:
    """Stop what may be left of its earlier runs; raises SubmitFailed where that cannot be known.

    An engine that fell silent is given up for one run and may still be at it: it would write into
    the output of the next, and hold the memory or the graphics processor that this one needs.
    """
    for number in range(workitem.runs):
        try:
            performer.cancel(run_of(workitem, manifest, number=number))
        except SubmitFailed as fault:
            raise SubmitFailed(fault.reason, is_away=True) from fault


def end_strays(workitem: Workitem) -> None:
    """Stop what a worker that woke late may have started of the earlier runs of a Workitem.

    Where that cannot be done now it is when the present run has ended, and by tidy().
    """
    if not workitem.runs:
        return
    manifest = workitem.version.declared
    try:
        end_earlier(workitem, manifest, performer_of(manifest))
    except (SubmitFailed, PerformerRefused) as fault:
        log.warning("staging.strays_not_ended", workitem=str(workitem.uid), why=str(fault))


def step_back(workitem: Workitem) -> None:
    """End what a worker started that was overtaken, where it is of an earlier run by now."""
    rows = Workitem.objects.select_related("study__site", "version__algorithm")
    end_strays(rows.get(pk=workitem.pk))


def abandon(workitem: Workitem) -> None:
    """Stop the run of a Workitem, unless somebody waits for it; earlier ones at any rate.

    A worker that lost its lease while it started a run asks for this too: whoever took the
    Workitem over has the same run, or a later one.
    """
    if workitem.state not in AT_WORK:
        stop(workitem)
    else:
        end_strays(workitem)


def stop(workitem: Workitem) -> None:
    """Stop a run, and leave nothing of it behind."""
    manifest = workitem.version.declared
    performer = performer_of(manifest)
    performer.cancel(run_of(workitem, manifest))
    end_earlier(workitem, manifest, performer)
    discard(workitem)


def clean_up(workitem: Workitem, performer: Performer, *, number: int | None = None) -> None:
    """Leave nothing of a run that is over; where its performer does not answer, tidy() will.

    ``number`` is that of an earlier run; the present one otherwise.
    """
    try:
        performer.cleanup(run_of(workitem, workitem.version.declared, number=number))
    except SubmitFailed as fault:
        log.warning("staging.not_cleaned_up", workitem=str(workitem.uid), why=fault.reason)
    else:
        discard(workitem, number=number)
        end_strays(workitem)


def discard(workitem: Workitem, *, number: int | None = None) -> None:
    """Remove the working folder of a Workitem, and what its runs up to one gave to fetch.

    Where the Workitem has gone on since it was last seen they are another's, and stay. ``number``
    is that of the run; the present one otherwise.
    """
    try:
        with lease.locked(workitem):
            gone = _taken_away(work_folder(workitem), workitem)
    except Overtaken:
        log.info("staging.kept", workitem=str(workitem.uid))
        return
    shutil.rmtree(gone, ignore_errors=True)
    run_files.discard(workitem, number=workitem.runs if number is None else number)


# row, Series Instance UID, SOP Instance UID, path, Instance Number
Staged = tuple[Instance, str, str, str, int | None]
# UIDs beside those of study, series and instance that were replaced, such as frames of reference
_OTHER_UIDS = "other-uids.json"
# what study.json says of a series, as in the headers
_TERMS = {
    "body_part_examined": "BodyPartExamined",
    "laterality": "Laterality",
    "view_position": "ViewPosition",
}


def other_uids(workitem: Workitem) -> list[str]:
    """The further original UIDs of the input, as staged."""
    kept = work_folder(workitem) / _OTHER_UIDS
    return list(json.loads(kept.read_text())) if kept.exists() else run_files.other_uids(workitem)


def _link(input_dir: Path, place: int, instance: Instance) -> Staged:
    path = _path(instance, place)
    target = input_dir / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # A copy, not a link: an algorithm must not be able to reach the one kept in the spool.
    shutil.copyfile(spool().fetched(instance.key), target)
    uids = (instance.series.series_instance_uid, instance.sop_instance_uid)
    return instance, *uids, path, instance.instance_number


def _pseudonymise(
    input_dir: Path, instances: list[Instance], copier: Copier
) -> tuple[list[Staged], list[str]]:
    draft = input_dir.parent
    paths = {one.pk: _path(one, place) for place, one in enumerate(instances)}
    targets = {pk: input_dir / path for pk, path in paths.items()}
    for folder in {target.parent for target in targets.values()}:
        folder.mkdir(parents=True)
    prepared = copier.take(draft / "prepared")
    made = {one.pk: prepared.move(one, targets[one.pk]) for one in instances}
    prepared.discard()
    missing = [one for one in instances if made[one.pk] is None]
    if missing:
        with ThreadPoolExecutor(_THREADS) as pool:
            copied = pool.map(lambda one: copier.copy(one, targets[one.pk]), missing)
            made |= zip((one.pk for one in missing), copied, strict=True)
    others = sorted({uid for one in made.values() if one for uid in one.other_uids})
    (draft / _OTHER_UIDS).write_text(json.dumps(others))
    staged = [
        (one, names.series_instance_uid, names.sop_instance_uid, paths[one.pk],
         names.instance_number)
        for one in instances
        if (names := made[one.pk])
    ]  # fmt: skip
    return staged, others


def _path(instance: Instance, place: int) -> str:
    return f"dicom/{instance.series_id}/{place + 1:06}.dcm"


def _describe(workitem: Workitem, study_instance_uid: str, staged: list[Staged]) -> dict[str, Any]:
    header = workitem.study.header
    by_series: dict[str, dict[str, Any]] = {}
    for instance, series_uid, sop_uid, path, number in staged:
        series = by_series.setdefault(series_uid, _describe_series(instance.series, series_uid))
        series["instances"].append(
            {"sop_instance_uid": sop_uid, "instance_number": number, "path": path}
        )
    return {
        "schema": "hub.study/1",
        "study_instance_uid": study_instance_uid,
        "patient": {
            "age_years": patient_age_years(header),
            "sex": header.get("patient_sex") or None,
        },
        "series": list(by_series.values()),
    }


def _tell_no_more_than_the_files(description: dict[str, Any], input_dir: Path) -> None:
    """Put what the de-identified files say in place of what the study's own headers said."""
    patient = description["patient"]
    if patient["age_years"] is not None:
        patient["age_years"] = min(patient["age_years"], OLDEST_YEARS)
    for series in description["series"]:
        header = read_header_of(input_dir / series["instances"][0]["path"])
        patient["sex"] = _term(header, "PatientSex")
        series["modality"] = _term(header, "Modality") or ""
        for name, keyword in _TERMS.items():
            series[name] = _term(header, keyword)


def _term(header: Any, keyword: str) -> str | None:
    """A coded string as matched: upper case, without outer blanks; None where there is none."""
    return str(header.get(keyword) or "").strip().upper() or None


def _describe_series(series: Series, series_uid: str) -> dict[str, Any]:
    def first(name: str) -> Any:
        return next(iter(series.attributes.get(name, [])), None)

    return {
        "series_instance_uid": series_uid,
        "modality": series.modality,
        "body_part_examined": first("body_part_examined"),
        "laterality": first("laterality"),
        "view_position": first("view_position"),
        "instances": [],
    }


def output_files(output_dir: Path) -> list[Path]:
    """The DICOM objects that an algorithm left, links and anything but plain files passed over.

    Raises OSError where nobody can look: an output must not be taken for one with fewer of them.
    """
    return sorted(
        path
        for folder, _folders, names in os.walk(output_dir, onerror=_raise_unless_shut)
        for path in (Path(folder, name) for name in names if name.endswith(".dcm"))
        if path.is_file() and not path.is_symlink()
    )


def _raise_unless_shut(fault: OSError) -> None:
    if not isinstance(fault, FileNotFoundError | PermissionError):
        raise fault
