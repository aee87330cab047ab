"""Runnable measurements; never part of pass or fail."""
