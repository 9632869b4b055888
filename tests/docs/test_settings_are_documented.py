"""The table of settings is that of hub/settings.py: every name, and the default of each."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs import pages

PAGE = "docs/how-to/run-in-production.md"


def in_code() -> dict[str, ast.expr | None]:
    """Each setting that is read from the environment, with the expression of its default."""
    found: dict[str, ast.expr | None] = {}
    text = pages.text_of("hub/settings.py") + pages.text_of("hub/cluster_environment.py").replace(
        "from __future__ import annotations", ""
    )
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        name = node.args[0]
        if isinstance(name, ast.Constant) and re.fullmatch(r"HUB_[A-Z0-9_]+", str(name.value)):
            default = next((one.value for one in node.keywords if one.arg == "default"), None)
            found[str(name.value)] = node.args[1] if len(node.args) > 1 else default
    return found


def documented() -> dict[str, str]:
    table = pages.rows(pages.section(PAGE, "## Settings"))
    return {row[0].strip("`"): row[1] for row in table}


def test_every_setting_is_in_the_table_and_none_that_is_not_there() -> None:
    assert set(in_code()) == set(documented())
    assert len(in_code()) > 20


@pytest.mark.parametrize("name", sorted(in_code()))
def test_the_default_in_the_table_is_that_of_the_code(name: str) -> None:
    default = in_code()[name]
    if not isinstance(default, (ast.Constant, ast.Tuple, ast.BinOp)):
        return  # made of other settings: told in words
    try:
        value = eval(compile(ast.Expression(default), name, "eval"), {})
    except NameError:
        return
    said = documented()[name].strip("`")
    if isinstance(value, bool):
        assert said == ("on" if value else "off")
    elif isinstance(value, tuple):
        assert said == (",".join(value) or "none")
    elif value == "":
        assert name == "HUB_SECRET_KEY" or said == "none"
    elif isinstance(value, float):
        assert float(said) == value
    else:
        assert said == str(value)
