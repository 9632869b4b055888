"""What a vendor declares is read whole or refused with every reason."""

import copy
import json
from pathlib import Path

import pytest

from vendors.manifest import Manifest, ManifestInvalid, Range, Resources

EXAMPLES = Path(__file__).parents[2] / "examples/algorithms/manifests"
DIGEST = "registry.example.org/ich-triage@sha256:" + "0" * 64


@pytest.fixture
def data():
    return {
        "schema": "hub.manifest/1",
        "algorithm": "ich-triage",
        "version": "1.0.0",
        "performer": {
            "kind": "container",
            "image": DIGEST,
            "packaging": "hub",
            "command": [],
            "resources": {"cpu": "2", "memory": "4Gi", "gpu": 1},
            "timeout_seconds": 300,
        },
        "needs": {
            "modality": ["CT"],
            "sop_class": ["1.2.840.10008.5.1.4.1.1.2"],
            "minimum_instances": 10,
            "patient_age_years": {"at_least": 18},
            "identity": "pseudonym",
        },
        "returns": {
            "findings": [
                {
                    "code": {"value": "1386000", "scheme": "SCT", "meaning": "Hemorrhage"},
                    "urgency_when_present": "stat",
                }
            ],
            "dicom": ["SEG"],
        },
    }


def problems_of(data):
    with pytest.raises(ManifestInvalid) as caught:
        Manifest.from_json(data)
    return caught.value.problems


def test_a_manifest_is_read_with_what_it_says_and_the_rest_by_default(data):
    manifest = Manifest.from_json(data)
    assert manifest.algorithm == "ich-triage"
    assert manifest.performer.resources.memory_bytes == 4 * 2**30
    assert manifest.performer.concurrency == 2
    assert manifest.needs.patient_age_years == Range(at_least=18)
    assert manifest.needs.input == "series"
    assert manifest.needs.identity == "pseudonym"
    assert manifest.needs.allow_burned_in is False
    assert manifest.returns.urgency_of(manifest.returns.findings[0].code) == "stat"


def test_the_algorithm_gets_a_pseudonym_unless_the_manifest_says_otherwise(data):
    del data["needs"]["identity"]
    assert Manifest.from_json(data).needs.identity == "pseudonym"


def test_the_shared_example_is_a_valid_manifest():
    path = Path(__file__).parents[3] / "shared/examples/ich-triage-1.0.0.json"
    if not path.exists():
        pytest.skip("the shared examples are not here")
    assert Manifest.from_json(json.loads(path.read_text())).returns.dicom == ("SEG",)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_example_that_ships_is_a_valid_manifest(path):
    assert Manifest.from_json(json.loads(path.read_text())).performer.command[0] == "python"


def test_every_problem_is_told_with_its_path_and_what_was_expected(data):
    data["needs"]["minimum_instances"] = "x"
    data["performer"]["resources"]["cpu"] = "0"
    del data["returns"]["findings"][0]["code"]["meaning"]
    del data["version"]
    problems = problems_of(data)
    assert "needs.minimum_instances: expected a whole number >= 1, got 'x'" in problems
    assert any(p.startswith("performer.resources.cpu: expected a number") for p in problems)
    assert any(p.startswith("returns.findings[0].code.meaning: expected a text") for p in problems)
    assert any(p.startswith("version: expected a version") for p in problems)
    assert len(problems) == 4


@pytest.mark.parametrize("kind", ["container", "kubernetes"])
@pytest.mark.parametrize(
    "image", ["ich:latest", "ich@sha256:abc", "ich", DIGEST + "\n", "--privileged " + DIGEST, None]
)
def test_an_image_that_is_not_given_by_digest_is_refused(data, kind, image):
    data["performer"] |= {"kind": kind, "image": image}
    if image is None:
        del data["performer"]["image"]
    (problem,) = problems_of(data)
    assert problem.startswith("performer.image: expected an image by digest")


def test_a_process_without_a_command_is_refused(data):
    data["performer"] = {"kind": "process"}
    (problem,) = problems_of(data)
    assert problem.startswith("performer.command: expected")


def test_an_unknown_key_is_refused_and_one_beginning_with_x_is_not(data):
    data["x-vendor"] = {"anything": 1}
    data["needs"]["x-note"] = "kept"
    data["performer"]["resources"]["x-note"] = "kept"
    Manifest.from_json(data)
    data["needs"]["modalities"] = ["CT"]
    (problem,) = problems_of(data)
    assert problem.startswith("needs.modalities: expected one of modality, sop_class")


def test_an_age_range_that_holds_nobody_is_refused(data):
    data["needs"]["patient_age_years"] = {"at_least": 70, "at_most": 18}
    (problem,) = problems_of(data)
    assert "at_least not above at_most" in problem


def test_a_finding_promised_twice_is_refused(data):
    data["returns"]["findings"].append(copy.deepcopy(data["returns"]["findings"][0]))
    (problem,) = problems_of(data)
    assert problem.startswith("returns.findings[1].code")


@pytest.mark.parametrize("data", [None, [], "x", 1, {}])
def test_something_else_than_a_manifest_is_refused_and_not_a_crash(data):
    assert problems_of(data)


@pytest.mark.parametrize(
    ("resources", "cpu_count", "memory_bytes"),
    [
        (Resources("2", "4Gi"), 2.0, 4 * 2**30),
        (Resources("500m", "512Mi"), 0.5, 512 * 2**20),
        (Resources("1.5", "2G"), 1.5, 2 * 10**9),
        (Resources("1", "1048576"), 1.0, 1048576),
    ],
)
def test_quantities_mean_what_kubernetes_means_by_them(resources, cpu_count, memory_bytes):
    assert resources.cpu_count == cpu_count
    assert resources.memory_bytes == memory_bytes


def test_both_ends_of_an_age_range_are_inside_it():
    adults = Range(at_least=18, at_most=80)
    assert [adults.holds(age) for age in (17, 18, 80, 81)] == [False, True, True, False]


@pytest.mark.parametrize("key", ["value", "scheme", "meaning"])
@pytest.mark.parametrize("text", ["a\tb", "a\n", "\x7f", "a\x00", "a\\b"])
def test_the_published_schema_itself_refuses_control_characters_in_codes(data, key, text):
    from vendors.shapes import problems_in

    data["returns"]["findings"][0]["code"][key] = text
    assert [one.split(":")[0] for one in problems_in(data, "manifest")] == [
        f"returns.findings[0].code.{key}"
    ]
