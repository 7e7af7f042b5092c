"""Shared manufacturing (共享智造): who used which machine, what that costs, and what is free."""
