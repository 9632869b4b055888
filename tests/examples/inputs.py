"""Lays a study out as the hub hands it to an algorithm."""

import json


def lay_out(folder, datasets):
    """Write study.json and dicom/<series>/<instance>.dcm; returns ``folder``."""
    first = datasets[0]
    instances = []
    for dataset in datasets:
        path = folder / "dicom" / first.SeriesInstanceUID / f"{dataset.SOPInstanceUID}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        instances.append({
            "sop_instance_uid": dataset.SOPInstanceUID,
            "instance_number": int(dataset.InstanceNumber),
            "path": str(path.relative_to(folder)),
        })  # fmt: skip
    series = {
        "series_instance_uid": first.SeriesInstanceUID,
        "modality": first.Modality,
        "body_part_examined": first.get("BodyPartExamined", ""),
        "series_description": first.get("SeriesDescription", ""),
        "instances": instances,
    }
    study = {
        "schema": "hub.study/1",
        "study_instance_uid": first.StudyInstanceUID,
        "patient": {"age_years": 54, "sex": "F"},
        "series": [series],
    }
    (folder / "study.json").write_text(json.dumps(study))
    return folder
