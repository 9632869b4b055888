"""The programs of others that judge and answer: found, or the test is skipped (or must not be)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PIXELMED = Path("/usr/share/java/pixelmed.jar")
# Runs every file through one JVM; starting one and compiling its style sheets takes seconds.
_EACH = """
import com.pixelmed.validate.DicomSRValidator;
public class Each { public static void main(String[] files) throws Exception {
  DicomSRValidator validator = new DicomSRValidator();
  for (String file : files) System.out.println("FILE " + file + "\\n" + validator.validate(file));
} }
"""
# Without these the validator of JDK 17 dies of JAXP0801003, and exits with 0.
_LIMITS = [f"-Djdk.xml.xpath{limit}=0" for limit in ("TotalOpLimit", "ExprOpLimit", "ExprGrpLimit")]
# It is over before what it runs is worth a second compiler, or threads that look for garbage.
_SHORT_LIVED = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_JAVA = [*_SHORT_LIVED, *_LIMITS]


def program(name: str) -> str:
    """Give the path of a program; skip the test without it, or fail where all must be there."""
    # The system's come first: pynetdicom puts a storescp of its own into the virtual environment.
    folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", str(Path(sys.executable).parent)]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ["PATH"]]))
    if not found:
        missing(name)
    return found or ""


def missing(what: str) -> None:
    if os.environ.get("HUB_REQUIRE_ALL"):
        pytest.fail(f"{what} must be there")
    pytest.skip(f"{what} is not there")


def run(*command: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
    )  # fmt: skip


def dciodvfy_errors(path: Path) -> list[str]:
    judged = run(program("dciodvfy"), path)
    lines = [line for line in judged.stderr.splitlines() if line.startswith("Error")]
    assert bool(judged.returncode) == bool(lines), judged.stderr
    return lines


def pixelmed_judgements(paths: list[Path], folder: Path) -> dict[str, str]:
    """Give what DicomSRValidator says of each file, by file name."""
    if not PIXELMED.exists():
        missing("pixelmed-apps")
    source = folder / "Each.java"
    source.write_text(_EACH)
    judged = run(program("java"), *_JAVA, "-cp", PIXELMED, source, *paths, timeout=240)
    assert judged.returncode == 0, judged.stderr
    parts = judged.stdout.split("FILE ")[1:]
    return {Path(part.splitlines()[0]).name: part for part in parts}
