"""Play seeds of the simulated universe by number: `python -m tests.simulation.replay 17` or `… 0 100000`.

With two numbers all seeds from the first up to and without the second, and the failures at the end.
"""

import logging
import sys
import traceback

from tests.support.universe.universe import Universe


def play(seed: int) -> Universe:
    """One seed to its end; a failure says what happened to the machine, and how to have it again."""
    universe = Universe(seed)
    try:
        universe.run()
    except Exception as failure:
        failure.add_note("\n".join(universe.trace[-20:]))
        failure.add_note(f"replay: python -m tests.simulation.replay {seed}")
        raise
    return universe


def main(first: int, end: int) -> int:
    failed = []
    for seed in range(first, end):
        try:
            play(seed)
        except Exception:
            traceback.print_exc()
            failed.append(seed)
    sys.stdout.write(f"{end - first} seeds, {len(failed)} failed: {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    if len(numbers) > 1:
        logging.disable(logging.CRITICAL)
    sys.exit(main(numbers[0], numbers[1] if len(numbers) > 1 else numbers[0] + 1))
