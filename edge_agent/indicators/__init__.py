"""Definitions, calculation and statements: figures with counts and evidence."""
