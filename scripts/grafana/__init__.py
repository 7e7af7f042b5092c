"""The dashboards, one module for each, and the pieces that they are made of."""
