"""What the broker shows of itself: logs now; metrics, events, audit and tracing later."""
