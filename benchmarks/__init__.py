"""Figures that anyone can reproduce, beside the bare libraries in the same run."""
