"""A simulated workshop and a small broker, each a process of its own, for the demo and the tests.

The simulator shares no code with the drivers and reads no configuration, so neither can hide the
other's mistakes.
"""
