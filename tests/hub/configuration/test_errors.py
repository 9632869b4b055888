"""Each mistake a person can make in a set-up is told with file, line, kind, code and field."""

import copy
from pathlib import Path

import pytest
import yaml

from hub.configuration import reference
from hub.configuration.document import parse, resolved
from hub.configuration.problems import Report
from hub.models import Organisation
from tests.hub.configuration.setups import SETUP, applied, line_of, refused, write

pytestmark = [pytest.mark.django_db, pytest.mark.once]  # refused before it is asked
SCHEMA = reference.schema()
KEYS = {"members": ("username",), "deployments": ("site", "algorithm", "version")}


def as_data() -> dict:
    node = parse(SETUP.encode(), name="", report=Report())
    return resolved(node, SCHEMA)


def fields(schema, value, path=()):
    """Every field given in a value: (path, schema, is_required)."""
    if "$ref" in schema:
        return
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from fields(schema["items"], one, (*path, index))
    elif isinstance(value, dict):
        for name, held in value.items():
            known = schema["properties"][name]
            yield (*path, name), known, name in schema.get("required", [])
            yield from fields(known, held, (*path, name))


def spelled(path) -> str:
    """The path within an entry, as problems write it."""
    text = ""
    for part in path[2:]:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


ALL = [one for one in fields(SCHEMA, as_data()) if len(one[0]) > 2]
REQUIRED = [path for path, _, is_required in ALL if is_required]


def changed(path, change) -> dict:
    data = copy.deepcopy(as_data())
    held = data
    for part in path[:-1]:
        held = held[part]
    change(held, path[-1])
    return data


def check(tmp_path, data, path):
    """The set-up is refused, and some problem names file, line, kind, code and field."""
    name = write(tmp_path, yaml.dump(data, sort_keys=False))
    lines = Path(name).read_text("utf-8").splitlines()
    problems = refused(name)
    section, index = path[:2]
    key = KEYS.get(section, ("code",))
    parts = [data[section][index].get(one, "") for one in key]
    code = "/".join(parts) if any(parts) else f"[{index}]"
    found = [one for one in problems if one.section == section and one.field == spelled(path)]
    assert found, [str(one) for one in problems]
    assert found[0].place.file == name
    assert lines.index(f"{section}:") < found[0].place.line <= len(lines)
    assert found[0].text.startswith("expected ")
    assert found[0].code == code


@pytest.mark.parametrize("path", REQUIRED, ids=lambda path: ".".join(map(str, path)))
def test_a_required_field_that_is_missing_is_named(tmp_path, path):
    check(tmp_path, changed(path, lambda held, name: held.pop(name)), path)


def wrong_for(schema) -> list:
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    wrongs = [one for kind, one in WRONG.items() if kind not in kinds]
    return wrongs if "string" in kinds or "enum" in schema else [*wrongs, "text"]


WRONG = {"array": [["odd"]], "object": {"odd": {"odd": 1}}}


@pytest.mark.parametrize(
    ("path", "schema"),
    [(path, schema) for path, schema, _ in ALL],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_a_value_of_a_wrong_type_is_named(tmp_path, path, schema):
    for wrong in wrong_for(schema):
        data = changed(path, lambda held, name, wrong=wrong: held.__setitem__(name, wrong))
        check_wrong(tmp_path, data, path)


def check_wrong(tmp_path, data, path):
    problems = refused(write(tmp_path, yaml.dump(data, sort_keys=False)))
    named = [one for one in problems if one.field.startswith(spelled(path))]
    assert [one for one in named if one.section == path[0]], [str(one) for one in problems]


@pytest.mark.parametrize(
    ("old", "new", "field", "text"),
    [
        ("country: NO, organisation_number: \"8", "contry: NO, organisation_number: \"8", "contry",
         "did you mean country?"),
        ("894166762", "894166763", "organisation_number", "mod 11"),
        ("Europe/Oslo", "Europe/Olso", "timezone", "a time zone such as Europe/Oslo"),
        ("timezone: Europe/Oslo}", "timezone: Europe/Oslo, retention: {audit: 183}}",
         "retention.audit", "expected at least 184 days, because logs of high-risk AI are kept"),
        ("timezone: Europe/Oslo}", "timezone: Europe/Oslo, retention: {studies: 0}}",
         "retention.studies", "a whole number from 1 to 36500"),
        ("role: administrator", "role: administator", "roles[0].role",
         "did you mean administrator?"),
        (", site: drammen}]", "}]", "roles[0]", "no radiologist sees every trust's patients"),
        ('"ON"', "SEVENTEENLETTERSX", "ae_title", "at most 16 characters"),
        ('"ON"', "'A\\B'", "ae_title", "no backslash"),
        ('    ae_title: "ON"\n', "", "ae_title", "because the protocol is dicom"),
        ("    port: 11113\n", "", "port", "because the hub sends to this node"),
        ("port: 11113", "port: 0", "port", "from 1 to 65535"),
        ("port: 11113", 'port: "11113"', "port", "from 1 to 65535"),
        ("[source, results]", "[source, orders]", "roles", "expected for dicom"),
        ("[source, results]", "[source, source]", "roles[1]", "each word once"),
        ("UNICODE UTF-8", "UTF-9", "hl7.charset", "table 0211"),
        ("UNICODE UTF-8", "|", "hl7.charset", "table 0211"),
        ("UNICODE UTF-8", "UTF-8\\0", "hl7.charset", "table 0211"),
        ("UNICODE UTF-8", "8859/1\\r", "hl7.charset", "table 0211"),
        ("receiving_facility: NO", "receiving_facility: ' '", "hl7.receiving_facility",
         "without blanks at an end"),
        ("NO, organisation_number: \"9876", "NOR, organisation_number: \"9876", "country",
         "two capital letters (ISO 3166)"),
        ("organisation: vv, name", f"organisation: {'x' * 5000}, name", "organisation",
         f"found {'x' * 60}..."),
        ('"2.5.1", rec', '"2.3.1", rec', "hl7.priority_message", "HL7 2.3.1 has no OMI^O23"),
        ("receiving_application: RIS", "receiving_application: 'R|S'", "hl7.receiving_application",
         "without |"),
        ("NO-MF-000012345", "NOMF12345", "srn", "MDR Art. 31"),
        ("manifests/bleed.json", "manifests/gone.json", "versions[0].manifest", "No such file"),
        ("09506000134352", "09506000134353", "versions[0].clearance.udi_di", "14 digits"),
        ('"2460"', '"24600"', "versions[0].clearance.certificate.notified_body", "four digits"),
        ("expires: 2030-01-14", "expires: 2024-01-14", "versions[0].clearance.certificate.expires",
         "from 2025-01-15 on"),
        ("2029-12-31", "2025-12-31", "valid.to", "from 2026-01-01 on"),
        ("2029-12-31", "2029-02-30", "valid.to", "a day of the calendar"),
        ('"33000000.00"', "33000000.00", "estimated_value", "an amount in quotes"),
        ('"33000000.00"', '"33000000.001"', "estimated_value", "at most 2 decimals"),
        ('"24.00"', '"24.00001"', "price_book[0].tiers[0].unit_price", "at most 4 decimals"),
        ("up_to: 30000", "up_to: 10000", "price_book[0].tiers[1].up_to", "above 10000"),
        ("up_to: 30000, ", "", "price_book[0].tiers[1].up_to", "only the last tier is open"),
        ('{unit_price: "9.75"}', '{up_to: 99999, unit_price: "9.75"}',
         "price_book[0].tiers[2].up_to", "the last tier is open"),
        ('discount: "100%"', 'discount: "120%"', "price_book[0].introduction[0].discount",
         "a percentage"),
        ("model: graduated", "model: flat", "price_book[0].tiers", "expected one tier"),
        ("algorithm: bleed, site", "algorithm: blead, site", "lines[0].algorithm",
         "expected a known algorithm, found blead; did you mean bleed?"),
        ("organisation: vv, name", "organisation: vx, name", "organisation",
         "expected a known organisation, found vx"),
        ("version: 1.10", "version: 1.1", "version", "expected a version of bleed: 1.10"),
        ("{equals: CT}", "{equal: CT}", "when.all[0].series.modality.equal", "an operator"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_line_with_what_was_expected(tmp_path, old, new, field, text):
    assert SETUP.count(old) == 1
    changed_text = SETUP.replace(old, new)
    name = write(tmp_path, changed_text)
    (problem,) = refused(name)
    assert (problem.field, problem.place.file) == (field, name)
    assert text in problem.text
    line = changed_text.splitlines()[problem.place.line - 1]
    assert field.rpartition(".")[2].partition("[")[0] in line or new.strip() in line or not new


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = SETUP.replace("port: 11113", "port: x").replace("Europe/Oslo", "Moon")
    text = text.replace("rules:", "rulez:").replace("supplier: acme", "supplier: acne")
    problems = refused(write(tmp_path, text))
    assert [one.field for one in problems] == ["timezone", "port", "supplier", "rulez"]
    assert problems[3].text.endswith("did you mean rules?")


def test_a_code_twice_in_one_file_is_refused(tmp_path):
    entry = SETUP[SETUP.index("  - {code: drammen,") : SETUP.index("members:")]
    text = SETUP.replace("members:", entry + "members:")
    (problem,) = refused(write(tmp_path, text))
    first = line_of(text, "{code: drammen,")
    assert problem.text == f"expected each once, found drammen as on line {first}"
    assert problem.place.line == first + 1


def test_several_files_make_one_set_up(tmp_path):
    start = SETUP.index("rules:")
    one = write(tmp_path, SETUP[:start], name="one.yaml")
    two = write(tmp_path, "version: 1\n" + SETUP[start:], name="two.yaml")
    three = write(tmp_path, SETUP, name="three.yaml")
    assert len(applied(two, one, three).changes) == 13


def test_two_files_that_contradict_each_other_are_refused_with_both_places(tmp_path):
    one = write(tmp_path, name="one.yaml")
    two = write(tmp_path, SETUP.replace("port: 2576", "port: 2577"), name="two.yaml")
    (problem,) = refused(one, two)
    line = line_of(SETUP, "port: 2576")
    assert str(problem) == (
        f"{two}:{line}: nodes drammen-ris: port: expected the same as in {one}:{line}, 2576, "
        "found 2577"
    )


def test_two_peers_that_cannot_be_told_apart_are_refused(tmp_path):
    for start, stop in [("drammen-pacs", "  - code: drammen-ris"), ("drammen-ris", "vendors:")]:
        entry = SETUP[SETUP.index(f"  - code: {start}") : SETUP.index(stop)]
        text = SETUP.replace("vendors:", entry.replace(start, "twin") + "vendors:")
        problems = refused(write(tmp_path, text))
        assert {one.code for one in problems} == {start, "twin"}


def test_every_fault_of_a_manifest_is_told(tmp_path):
    name = write(tmp_path, needs={"modality": "CT", "minimum_instances": 0}, algorithm="bleed")
    problems = refused(name)
    assert [one.field for one in problems] == ["versions[0].manifest"] * 2
    assert problems[0].text.startswith("manifests/bleed.json: needs.minimum_instances: expected")


def test_a_manifest_of_another_algorithm_is_refused(tmp_path):
    (problem,) = refused(write(tmp_path, algorithm="other"))
    assert problem.text == "expected a manifest of bleed, found one of other"


@pytest.mark.parametrize("content", ["{", '{"a": NaN}', '{"a": 1, "a": 2}', "\xff", "[]", "null"])
def test_a_manifest_that_is_no_json_is_refused(tmp_path, content):
    name = write(tmp_path)
    (tmp_path / "manifests" / "bleed.json").write_text(content, encoding="latin-1")
    assert refused(name)[0].code == "bleed"


def test_an_inline_manifest_is_read_as_its_schema_wants(tmp_path):
    inline = (
        "{schema: hub.manifest/1, algorithm: bleed, version: 1.10, needs: {}, "
        "performer: {kind: process, command: [python], resources: {cpu: 2}}, "
        "returns: {findings: [{code: {value: 1386000, scheme: SCT, meaning: Bleeding}}]}}"
    )
    text = SETUP.replace("manifests/bleed.json", inline)
    applied(write(tmp_path, text))
    (problem,) = refused(write(tmp_path, text.replace("needs: {}", "needs: {input: all}")))
    assert "needs.input" in problem.text
    assert problem.place.line == line_of(text, "needs: {}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected names of sections, each with its entries, found a list"),
        ("version: 2\n", 'expected 1, found "2"'),
        ("sites: []\n", "expected 1, found nothing"),
        ("version: 1\nsites: {}\n", "expected a list of entries, found a mapping"),
        ("version: 1\nsites: [drammen]\n", "expected a mapping with code, organisation"),
        ("version: 1\nsites: [{}]\n", "expected a value, found nothing"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, expected):
    assert refused(write(tmp_path, text))[0].text.startswith(expected)


def test_a_file_that_is_not_there_is_told(tmp_path):
    (problem,) = refused(str(tmp_path / "gone.yaml"))
    assert "No such file" in problem.text


def test_doubts_are_warnings_that_stop_nothing(tmp_path):
    text = SETUP.replace("country: NO, organisation_number: \"987654325\"",
                         "country: DK, organisation_number: \"10111111\"")
    text = text.replace('"40000000.00"', '"1.00"')
    text = text.replace("organisation: vv\n    valid", "organisation: sp\n    valid")
    warnings = applied(write(tmp_path, text)).warnings
    assert [one.field for one in warnings] == [
        "organisation_number", "maximum_value", "organisation", "lines[0].site",
    ]


def test_a_basic_udi_di_with_wrong_check_characters_is_refused(tmp_path):
    """As over the API and on the page; one of another issuer has no check that we know."""
    (problem,) = refused(write(tmp_path, SETUP.replace("310c2K", "310c2L")))
    assert problem.field == "versions[0].clearance.basic_udi_di"
    assert "(GS1, mod 1021), found" in problem.text
    assert applied(write(tmp_path, SETUP.replace("1987654Ad4X4bL5ttr2310c2K", "++B999ABC")))


def test_norway_that_a_tool_for_yaml_1_1_wrote_is_read_with_a_doubt(tmp_path):
    was = "country: NO, organisation_number: 914"
    text = SETUP.replace(was, was.replace("NO", "false"))
    (warning,) = applied(write(tmp_path, text)).warnings
    assert (warning.code, warning.field) == ("sp", "country")
    assert "in quotes" in warning.text
    assert Organisation.objects.get(code="sp").country == "NO"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("class: IIa", "class: I", "is of risk class I; clinical use needs IIa or higher"),
        ("expires: 2030-01-14", "expires: 2026-01-14", "expired on 2026-01-14"),
        ("state: clinical", "state: retired", None),
    ],
)
def test_a_deployment_whose_every_study_will_be_refused_is_doubted(tmp_path, old, new, why):
    assert old in SETUP
    warnings = applied(write(tmp_path, SETUP.replace(old, new))).warnings
    doubts = [one.text for one in warnings if one.section == "deployments"]
    assert all(one.startswith("every study will be refused: ") for one in doubts)
    assert [one.endswith(why) for one in doubts] == ([True] if why else [])


def test_a_call_off_by_one_who_is_named_but_does_not_buy_is_doubted(tmp_path):
    text = SETUP.replace("role: contracting_authority", "role: purchasing_agent")
    (warning,) = applied(write(tmp_path, text)).warnings
    assert warning.field == "organisation"
    assert warning.text == (
        "vv is named in 2020-1968 neither as contracting_authority nor as option_authority, "
        "so it may not call off"
    )
