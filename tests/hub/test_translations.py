"""Every text that the catalogues know is translated, keeps its places, and is compiled."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils import translation

from hub.phrases import phrase, render

LOCALE = Path(__file__).resolve().parents[2] / "hub" / "locale"
LANGUAGES = ["nb", "da"]
FIELD = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:".*"\n?)+)', re.MULTILINE)
PLACE = re.compile(r"%\(\w+\)s|%%|\{\w+\}")

Entry = dict[str, str]


def entries(language: str) -> list[Entry]:
    """The entries of a catalogue: what each of its fields says."""
    text = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text()
    assert "#, fuzzy" not in text, "a guess of msgmerge is no translation"
    blocks = (dict(FIELD.findall(f"{block}\n")) for block in text.split("\n\n"))
    read = [{name: _joined(value) for name, value in block.items()} for block in blocks]
    return [entry for entry in read if entry.get("msgid")]


def _joined(value: str) -> str:
    return "".join(ast.literal_eval(line) for line in value.splitlines())


def translations(entry: Entry) -> list[str]:
    return [value for name, value in entry.items() if name.startswith("msgstr")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_left_untranslated(language: str) -> None:
    found = entries(language)
    assert len(found) > 250
    assert [entry["msgid"] for entry in found if not all(translations(entry))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_keeps_the_places_of_its_text(language: str) -> None:
    for entry in entries(language):
        for name, text in entry.items():
            if name.startswith("msgstr"):
                is_of_many = "[" in name and name != "msgstr[0]"
                said = entry["msgid_plural" if is_of_many else "msgid"]
                assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(said)), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_one_that_was_written(language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in entries(language):
        if "msgid_plural" in entry:
            continue
        context, text = entry.get("msgctxt"), entry["msgid"]
        found = compiled.pgettext(context, text) if context else compiled.gettext(text)
        assert found == entry["msgstr"]


def test_a_kept_sentence_speaks_the_language_of_its_reader() -> None:
    kept = phrase("AI failed; %(order)s", order=phrase("no order known: routine")).stored()
    with translation.override("nb"):
        assert render(kept) == "KI feilet; ingen kjent rekvisisjon: rutine"
    with translation.override("da"):
        assert render(kept).startswith("AI fejlede")
    with translation.override("en"):
        assert render(kept) == "AI failed; no order known: routine"
