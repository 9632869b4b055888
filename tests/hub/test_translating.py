"""Texts that are looked up once in a language."""

from django.utils import translation

from hub.translating import gettext


def test_each_language_keeps_its_own() -> None:
    """What one reader's language says is not given to the next reader."""
    said = {}
    for language in ("en", "nb", "da", "en", "nb"):
        with translation.override(language):
            assert gettext("no accession number") == translation.gettext("no accession number")
            said[language] = gettext("no accession number")
    assert said["en"] == "no accession number"
    assert said["nb"] != said["en"]


def test_without_a_language_it_is_as_written() -> None:
    """A process that speaks to nobody has none."""
    with translation.override(None):
        assert gettext("no accession number") == "no accession number"
