"""`python -m mambaamqp`: the command line, nothing else."""

from mambaamqp.cli import main

if __name__ == "__main__":
    main()
