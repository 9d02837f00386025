"""The journaled file store: remembers what the broker decides, and has no opinions."""
