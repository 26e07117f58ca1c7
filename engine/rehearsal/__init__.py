"""Processes that run in memory, on the real core, with nothing stored and nothing called: to try, to measure, to compare."""
