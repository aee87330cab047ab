"""Helpers shared by all rooms; each module is imported by its own name."""
