"""`demo`: three months with a few dozen customers, played against the Stripe sandbox."""

from commands.demo.command import demo

__all__ = ["demo"]
