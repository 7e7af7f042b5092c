"""The agent's own page, its REST interface and /metrics: to look at, never to change anything."""
