"""`python -m tests.fuzz.search TARGET [LIBFUZZER-OPTION ...]`: one target under the fuzzer, in this process.

Nothing of the package may be imported before the fuzzer watches imports, so nothing stands at the top.
"""

import logging
import sys

import atheris


def main(name: str, options: list[str]) -> None:
    """Ends the process by itself: with exit code 0 after the last execution, another after a find."""
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=["mambaamqp"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
