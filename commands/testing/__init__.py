"""`test`: the scenarios that analysts write beside their processes, played on the real core."""

from commands.testing.command import test

__all__ = ["test"]
