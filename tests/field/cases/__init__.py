"""Faults that are known from the field, one folder each: its configuration, and what must come of it."""
