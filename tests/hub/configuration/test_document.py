import pytest

from hub.configuration.document import Entries, parse, resolved
from hub.configuration.problems import Report


def read(text: str | bytes):
    report = Report()
    raw = text.encode() if isinstance(text, str) else text
    return parse(raw, name="f.yaml", report=report), report


def told(text: str | bytes) -> list[str]:
    return [str(problem) for problem in read(text)[1].problems]


def test_every_key_keeps_its_line():
    node, report = read("a: 1\nb:\n  c: 2\n")
    assert isinstance(node, Entries)
    assert node.keys["b"].line == 2
    assert node.values["b"].keys["c"].line == 3
    assert report.problems == []


def test_a_key_twice_names_both_lines():
    assert told("a: 1\nb: 2\na: 3\n") == ["f.yaml:3: expected each once, found a as on line 1"]


@pytest.mark.parametrize("text", ["a: [1\nb: 2\n", "a: 'x\n", "\tb: 1\n", "a: b: c\n", "%"])
def test_broken_yaml_is_a_problem_with_a_line(text):
    (problem,) = read(text)[1].problems
    assert problem.text.startswith("expected YAML: ")
    assert problem.place.line >= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: *x\n", "f.yaml:2: expected the value itself, found an alias (*)"),
        ("a: 1\nb: &x 1\n", "f.yaml:2: expected the value itself, found an anchor (&)"),
        ("a: &x [*x]\n", "f.yaml:1: expected the value itself, found an anchor (&)"),
        ("a: !!python/object:os.system 1\n", "f.yaml:1: expected no tag, found tag:yaml.org,2002"),
        ("a: 1\n? [b]\n: 2\n", "f.yaml:2: expected a name, found a list or names with values"),
        ("", "f.yaml:1: expected a set-up, found nothing"),
        (b"a: 1\nb: \xe5\n", "f.yaml:2: expected text in UTF-8"),
        ("[" * 5000, "f.yaml:1: expected"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(text, expected):
    (line,) = told(text)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10), ("-3", -3), ("0.5", 0.5), ("true", True), ("false", False), ("~", None),
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("1.10", "1.10"), ("007", "007"),
        ("1e5", "1e5"), ("NaN", "NaN"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"), ('"10"', "10"), ('"true"', "true"), ('"null"', "null"),
        ("9" * 30, "9" * 30), ("[CT, 1]", ["CT", 1]), ("{a: NO}", {"a": "NO"}),
    ],
)  # fmt: skip
def test_free_values_are_numbers_only_where_nothing_is_lost(text, value):
    node, _ = read(f"x: {text}\n")
    found = resolved(node)["x"]
    assert (found, type(found)) == (value, type(value))


def test_a_schema_that_wants_text_gets_text():
    node, _ = read("{version: 1.0, gpu: 1, list: [1], odd: 1}")
    schema = {
        "properties": {
            "version": {"$ref": "#/$defs/word"},
            "gpu": {"type": "integer"},
            "list": {"type": "array", "items": {"type": "string"}},
        },
        "$defs": {"word": {"type": "string"}},
    }
    assert resolved(node, schema) == {"version": "1.0", "gpu": 1, "list": ["1"], "odd": 1}
