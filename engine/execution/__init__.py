"""Execution: a pure function from an instance's state and a trigger to its next state and the effects to carry out."""
