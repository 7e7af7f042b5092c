"""Finds what speaks on the addresses that somebody named: gently, and without changing anything there."""
