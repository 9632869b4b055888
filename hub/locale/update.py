"""Gathers every text for people into the catalogues, compiles them, and says what is missing.

Run it from the root of the project after texts were changed (needs GNU gettext):

    .venv/bin/python hub/locale/update.py

Then translate what it lists in ``hub/locale/*/LC_MESSAGES/django.po``, run it again, and commit
both the .po and the .mo files: who installs the hub has no gettext tools.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LANGUAGES = ("nb", "da")
# what is not for the people who use the hub
LEFT_OUT = (".venv", "var", "tests", "bench", "staticfiles", "docs", "examples")
# an entry with an empty translation that no further line continues
ENTRY = re.compile(
    r'^(?:#,.*\n)?msgid "(.*(?:"\n".*)*)"\n'
    r'(?:msgid_plural ".*(?:"\n".*)*"\n)?msgstr(?:\[0\])? ""\n(?!")',
    re.MULTILINE,
)


def main() -> int:
    """Gather, compile, report; 1 where something is missing or only guessed."""
    chosen = [option for language in LANGUAGES for option in ("--locale", language)]
    ignored = [option for folder in LEFT_OUT for option in ("--ignore", folder)]
    _manage("makemessages", "--no-wrap", "--no-location", "--no-obsolete", *chosen, *ignored)
    _manage("compilemessages", *chosen, *ignored)
    missing = [line for language in LANGUAGES for line in _missing(language)]
    sys.stdout.write("\n".join(missing or ["every text is translated"]) + "\n")
    return 1 if missing else 0


def _manage(*arguments: str) -> None:
    os.environ.setdefault("HUB_DEBUG", "off")
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True)


def _missing(language: str) -> list[str]:
    catalogue = (ROOT / "hub" / "locale" / language / "LC_MESSAGES" / "django.po").read_text()
    guessed = catalogue.count("#, fuzzy")
    lines = [f"{language}: not translated: {text}" for text in ENTRY.findall(catalogue) if text]
    return [*lines, f"{language}: {guessed} guessed (fuzzy)"] if guessed else lines


if __name__ == "__main__":
    raise SystemExit(main())
