"""The Java programs in java/: compiled by Maven once a process, then started one by one."""

import fcntl
import functools
import subprocess
from pathlib import Path

from interop.conftest import need

JAVA = Path(__file__).parent / "java"
MAVEN_SECONDS = 300


@functools.cache
def class_path() -> str:
    """Compile, and have Maven write down where the jars are."""
    maven = need("mvn")
    need("javac")
    goals = ["compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath"]
    with (JAVA / "pom.xml").open() as pom:
        fcntl.flock(pom, fcntl.LOCK_EX)  # two at once would write over each other's classes
        done = subprocess.run(
            [maven, "-q", "-B", *goals], cwd=JAVA, capture_output=True, text=True, timeout=MAVEN_SECONDS
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return f"{JAVA / 'target' / 'classes'}:{(JAVA / 'target' / 'classpath').read_text().strip()}"


def command(program: str, *arguments: str) -> list[str]:
    """The command line of a class of the package `interop`."""
    return [need("java"), "-cp", class_path(), f"interop.{program}", *arguments]


def run(program: str, *arguments: str) -> str:
    """Run it to its end; what it printed. Fails with that if it does not end with 0."""
    done = subprocess.run(command(program, *arguments), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout
