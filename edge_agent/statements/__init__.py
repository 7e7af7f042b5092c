"""Statements that are kept: signed, chained, never changed."""
