"""The house rules, as the code keeps them: sizes, names, layers, and who may do what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("vendors", "marketplace", "contracts", "routing")
CODE = ("hub", *APPS)
WIRES = ("hub/dicom", "hub/hl7", "hub/cluster")
FORBIDDEN_NAMES = {
    "utils", "util", "helpers", "helper", "common", "services", "service", "managers",
    "constants", "misc", "signals",
}  # fmt: skip
# Only here may each library be imported; demo, examples, tests and bench are no part of the hub.
HOMES = {
    "pydicom": "hub/dicom/",
    "pynetdicom": "hub/dicom/",
    "highdicom": "hub/dicom/",
    "hl7apy": "hub/hl7/",
    "kubernetes": "hub/cluster/",
}
# Who may call other nodes: reached from steps that hold no transaction.
CALLERS = {"routing/senders.py", "routing/archive.py", "routing/confirming.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file of the project, but migrations, relative to its root."""
    skipped = {".venv", "var", "node_modules", "migrations", "__pycache__"}
    found = [
        path.relative_to(ROOT)
        for path in sorted(ROOT.rglob("*.py"))
        if not skipped.intersection(path.relative_to(ROOT).parts)
    ]
    assert Path("routing/pathway.py") in found
    return tuple(found)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def code() -> tuple[Path, ...]:
    """The modules of the hub itself."""
    return tuple(path for path in modules() if path.parts[0] in CODE)


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports, also inside of functions."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


# -- sizes -----------------------------------------------------------------------------------
def test_a_step_is_read_at_one_sitting_and_any_module_at_two() -> None:
    def ceiling(path: Path) -> int:
        return 150 if path.parts[:2] == ("routing", "steps") else 400

    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {str(path): n for path, n in lengths.items() if n > ceiling(path)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in modules()
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > (60 if path.parts[0] == "tests" else 50)
    }
    assert long == {}


def test_no_function_takes_more_than_seven_parameters() -> None:
    def count(node: Function) -> int:
        names = [arg.arg for arg in node.args.posonlyargs + node.args.args + node.args.kwonlyargs]
        return len(names) - (names[:1] in (["self"], ["cls"]))

    many = {
        f"{path}:{node.name}": count(node)
        for path in modules()
        for node in functions(path)
        if count(node) > 7
    }
    assert many == {}


def test_no_folder_lies_deeper_than_four() -> None:
    assert [str(path) for path in modules() if len(path.parent.parts) > 4] == []


# -- names and words ---------------------------------------------------------------------------
def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in modules() if path.stem in FORBIDDEN_NAMES] == []


def test_every_module_says_in_one_sentence_what_it_is_in_charge_of() -> None:
    wordless = []
    for path in modules():
        if path.parts[0] == "tests" or not tree(path).body:
            continue
        first = (ast.get_docstring(tree(path)) or "").split("\n\n")[0].split("\n    ")[0].strip()
        if not re.fullmatch(r"[^\s].*[.:?!]", first, re.DOTALL):
            wordless.append(str(path))
    assert wordless == []


def test_every_test_is_named_by_a_sentence() -> None:
    terse = [
        f"{path}:{node.name}"
        for path in modules()
        if path.name.startswith("test_")
        for node in functions(path)
        if node.name.startswith("test_") and node.name.count("_") < 3
    ]
    assert terse == []


# -- who may do what -----------------------------------------------------------------------------
def _writes_state(path: Path) -> Iterator[int]:
    """Lines that write a ``state`` of the way: by assignment, setattr(), update() or create()."""
    for node in ast.walk(tree(path)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        if any(isinstance(one, ast.Attribute) and one.attr == "state" for one in targets):
            yield node.lineno
        if isinstance(node, ast.Call) and _names(node) and any(
            keyword.arg in ("state", "defaults") and _is_state(keyword)
            for keyword in node.keywords
        ):
            yield node.lineno


def _names(call: ast.Call) -> bool:
    writers = {"update", "create", "get_or_create", "update_or_create", "bulk_update", "setattr"}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in writers


def _is_state(keyword: ast.keyword) -> bool:
    if keyword.arg == "state":
        return True
    keys = keyword.value.keys if isinstance(keyword.value, ast.Dict) else []
    return any(isinstance(key, ast.Constant) and key.value == "state" for key in keys)


def test_only_advance_writes_a_state_of_the_way() -> None:
    places = {
        f"{path}:{line}"
        for path in code()
        if path.parts[0] in ("routing", "hub") and str(path) != "routing/pathway.py"
        for line in _writes_state(path)
    }
    assert places == set()


def test_the_guard_over_state_sees_what_it_is_there_to_see(tmp_path: Path) -> None:
    lines = [
        "row.state = 'x'",
        "Study.objects.filter(pk=1).update(state='x')",
        "Workitem.objects.create(study=1, state='x')",
        "Workitem.objects.get_or_create(pk=1, defaults={'state': 'x'})",
        "Study.objects.filter(state='x').update(is_read=True)",
        "state = row.state",
    ]
    sample = tmp_path / "sample.py"
    sample.write_text("\n".join(lines))
    assert list(_writes_state(sample)) == [1, 2, 3, 4]


def test_transitions_are_written_by_the_pathway_alone() -> None:
    writers = {
        str(path)
        for path in code()
        if re.search(r"Transition\.objects\.(bulk_)?create|Transition\(", (ROOT / path).read_text())
        and "models" not in path.parts
    }
    assert writers == {"routing/pathway.py"}


def test_only_senders_and_who_asks_archives_call_other_nodes() -> None:
    network = {"hub.dicom.scu", "hub.dicom.holdings", "hub.hl7.connection"}
    callers = {
        str(path)
        for path in code()
        if not str(path).startswith(("hub/dicom/", "hub/hl7/"))
        and network.intersection(imported(path))
    }
    assert callers == CALLERS


def test_no_transaction_is_open_where_another_node_is_called() -> None:
    """By what can be read: those who use the callers never do so under ``atomic``."""
    users = [path for path in code() if _uses_callers(path)]
    assert {"routing/outbox.py", "routing/steps/complete.py"} <= {str(path) for path in users}
    found = [
        f"{path}:{call.lineno}"
        for path in users
        for block in _atomic_blocks(path)
        for call in ast.walk(block)
        if isinstance(call, ast.Call) and _calls_network(call)
    ]
    assert found == []
    assert not any(list(_atomic_blocks(Path(name))) for name in CALLERS)


def _uses_callers(path: Path) -> bool:
    names = set(imported(path))
    return bool(names & {"routing.archive", "routing.senders.sender_for", "routing.senders"})


def _atomic_blocks(path: Path) -> Iterator[ast.AST]:
    for node in ast.walk(tree(path)):
        around: list[ast.expr] = []
        if isinstance(node, Function):
            around = node.decorator_list
        elif isinstance(node, ast.With):
            around = [item.context_expr for item in node.items]
        if any("atomic" in ast.unparse(one) for one in around):
            yield node


def _calls_network(call: ast.Call) -> bool:
    said = ast.unparse(call.func)
    names = ("sender.send", "sender_for", "archive.ask_expected", "confirming.missing")
    return said.endswith(names)


def test_nothing_hangs_on_signals() -> None:
    users = [
        str(path)
        for path in code()
        if any("django.dispatch" in name or ".signals" in name for name in imported(path))
    ]
    assert users == []


def test_nothing_but_commands_prints() -> None:
    printing = [
        f"{path}:{node.lineno}"
        for path in code()
        if "commands" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    # a script for developers, and one that runs apart from Django
    allowed = ("hub/locale/update.py", "vendors/performers/shim.py")
    assert [place for place in printing if not place.startswith(allowed)] == []


def test_each_protocol_library_has_one_home() -> None:
    strays = [
        f"{path} imports {name}"
        for path in code()
        for name in {one.split(".")[0] for one in imported(path)}
        if name in HOMES and not str(path).startswith(HOMES[name])
    ]
    assert strays == []


def test_the_wires_know_nothing_of_the_house() -> None:
    above = {*APPS, "django", "rest_framework", "celery"}
    strays = [
        f"{path} imports {name}"
        for path in code()
        if str(path).startswith(WIRES)
        for name in {one.split(".")[0] for one in imported(path)}
        if name in above
    ]
    assert strays == []


def test_the_layers_hold() -> None:
    """lint-imports sees what the tests above cannot: what is imported by way of others."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
