"""What a business rule task gives to data items."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.connector import Value
from engine.execution.executable import Executable


def decided(
    executable: Executable, node: str, names: Mapping[str, Value], completed_by: Callable[[str], str | None]
) -> dict[str, Value]:
    """Data item -> its new value, unchecked. The decision finds the task's input parameters beside `names`; its output parameters
    find the result by the name of the result variable. Raises ExpressionFailed where the decision has no result on this data.
    """
    decision, rule = executable.decided[node], executable.nodes[node].business_rule
    assert rule is not None
    assert rule.result is not None  # `check` has seen to it
    given = {name: text.evaluate(names, completed_by) for name, text in executable.inputs[node].items()}
    result = decision.decide({**names, **given}, completed_by)
    [first, *_] = result.values()
    value: Value = first if rule.item is not None else {**result}
    inside = {**names, **given, rule.result: value}
    written = {item: text.evaluate(inside, completed_by) for item, text in executable.outputs[node].items()}
    return {**({rule.item: value} if rule.item is not None else {}), **written}
