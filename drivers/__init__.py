"""One package a protocol; each imports `edge_agent.driver` and `edge_agent.model`, nothing else of ours."""
