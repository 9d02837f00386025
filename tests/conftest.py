"""What all tests share."""

from hypothesis import settings

# How fast a machine is decides nothing: an example may take as long as it does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
