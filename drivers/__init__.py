"""One package a protocol; each imports `edge_agent.driver` and `edge_agent.model`, and no more of the agent."""
