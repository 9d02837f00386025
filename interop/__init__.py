"""Real clients against a real broker, which the tests start themselves on a free port."""
