"""Plain data that every part shares; imports nothing else of the agent.

Import the modules, not this package: `from edge_agent.model.batch import Batch`.
"""
