"""Supervises connections: schedule, time limits, back-off, isolation, link levels."""
