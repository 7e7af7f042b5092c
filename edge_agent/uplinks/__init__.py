"""Northbound destinations; each reads the journal from its own cursor."""
