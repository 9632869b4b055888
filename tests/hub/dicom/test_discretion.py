"""What pydicom says of a value goes nowhere, whichever of the two was imported first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import logging
logging.basicConfig(level=logging.DEBUG)
import {first}
import {second}
from pydicom.dataelem import DataElement
DataElement("StudyInstanceUID", "UI", "1.2.Kari")
logging.getLogger("pydicom").error("of the program itself")
"""


@pytest.mark.parametrize(
    ("first", "second"), [("hub.dicom", "pydicom"), ("pydicom", "hub.dicom")]
)
def test_no_warning_of_pydicom_bears_a_value_into_the_log(first: str, second: str) -> None:
    program = PROGRAM.format(first=first, second=second)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Kari" not in done.stdout + done.stderr
    assert "of the program itself" in done.stderr
