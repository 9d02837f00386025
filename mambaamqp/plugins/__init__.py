"""What others bring: found by the entry points of installed distributions (docs/plugins.md)."""
