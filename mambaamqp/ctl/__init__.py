"""The command line's end of the control socket: ask a running broker, show what it says."""
