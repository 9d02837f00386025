"""Builds the core with mypyc where that is wanted and possible; everything else stands in pyproject.toml.

MAMBAAMQP_COMPILE says what is wanted: `auto` (the default) compiles where mypyc and a C compiler are there
and installs pure Python, saying so, where not; `yes` fails instead of falling back; `no` never compiles. An
editable install is always pure: a compiled module beside its source would shadow every later edit.

MAMBAAMQP_OPTIMISE is the C compiler's level, 0 to 3 (the default). Tests take 1: the compiler needs half the
time.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

ROOMS = ("wire", "broker", "session")
"""Compiled whole, as one group, together with the hot half of the store."""
STORE = ("records", "decoding", "log_format", "segment", "journal")
BENCH = ("flow", "histogram")
"""The hot half of the load command: it must not saturate before the broker does."""

EDITABLE = {"develop", "editable_wheel", "dist_info", "egg_info", "sdist"}


def modules() -> list[str]:
    """Paths of the modules to compile. Packages' __init__ stay Python: they hold nothing hot."""
    package = Path("mambaamqp")
    found = [path for room in ROOMS for path in (package / room).rglob("*.py") if path.name != "__init__.py"]
    found += [package / "store" / f"{name}.py" for name in STORE]
    found += [package / "bench" / f"{name}.py" for name in BENCH]
    return sorted(str(path) for path in found)


def compiler() -> str | None:
    """The C compiler that Python was built for, if it is there."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(str(command).split()[0])


def extensions(wish: str) -> list[Any]:
    """The extension modules, or none where nothing is to be compiled."""
    if wish == "no" or EDITABLE.intersection(sys.argv[1:]):
        return []
    try:
        from mypyc.build import mypycify
    except ImportError as missing:
        return without(wish, f"mypyc is not installed ({missing})")
    if compiler() is None and sys.platform != "win32":
        return without(wish, "there is no C compiler")
    options = [
        "--config-file=",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--python-version=3.11",
    ]
    return list(
        mypycify([*options, *modules()], opt_level=os.environ.get("MAMBAAMQP_OPTIMISE", "3"), debug_level="0")
    )


def without(wish: str, reason: str) -> list[Any]:
    """Go on in pure Python, or fail where a compiled core was demanded."""
    if wish == "yes":
        raise SystemExit(f"mambaamqp: MAMBAAMQP_COMPILE=yes, but {reason}")
    sys.stderr.write(f"mambaamqp: pure Python, {reason}\n")
    return []


class BuildCore(build_ext):
    """All of the core or nothing: half a compiled group cannot be imported."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as failure:
            without(WISH, f"compiling failed: {failure}")
            self.extensions = []
            for stray in Path(self.build_lib).rglob("*.so"):
                stray.unlink()


WISH = os.environ.get("MAMBAAMQP_COMPILE", "auto")
if WISH not in ("no", "auto", "yes"):
    raise SystemExit(f"mambaamqp: MAMBAAMQP_COMPILE={WISH!r}: must be no, auto or yes")

setup(ext_modules=extensions(WISH), cmdclass={"build_ext": BuildCore})
