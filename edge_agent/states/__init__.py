"""Rules that turn tags into machine states, and the intervals that come of them."""
