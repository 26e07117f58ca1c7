"""Decision tables and the tasks that ask them, drawn in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from xml.sax.saxutils import escape, quoteattr

from tests.builders.drawing import element
from tests.builders.events import extensions

DMN = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def ask(
    key: str,
    decision: str = "discount",
    result: str | None = "discount",
    mapping: str | None = "singleEntry",
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    binding: str | None = "deployment",
    attributes: str = "",
) -> str:
    """A business rule task as Camunda Modeler writes it."""
    given = {"decisionRef": decision, "decisionRefBinding": binding, "mapDecisionResult": mapping, "resultVariable": result}
    written = " ".join(f"camunda:{name}={quoteattr(value)}" for name, value in given.items() if value is not None)
    return element("businessRuleTask", key, extensions(inputs, outputs), f"{written} {attributes}")


def table(
    rules: Sequence[str],
    inputs: Sequence[str] = ("amount",),
    outputs: Sequence[str] = ("discount",),
    policy: str = "UNIQUE",
    *,
    key: str = "discount",
    types: Sequence[str] = (),
    given: Sequence[str] = (),
    inside_input: str = "",
    inside_output: str = "",
    beside: str = "",
) -> str:
    """A decision. A rule is `test | test -> result | result`, one on each line; `types` are those of the inputs, `given` those of
    the outputs; a policy may have an aggregation after a space.
    """
    hit, aggregation = policy.split(" ") if policy.startswith("COLLECT ") else (policy, "")
    attributes = f'hitPolicy="{hit}"' + (f' aggregation="{aggregation}"' if aggregation else "")
    columns = [
        f'<input label={quoteattr(text)}><inputExpression typeRef="{kind}"><text>{escape(text)}</text></inputExpression>'
        f"{inside_input}</input>"
        for text, kind in zip_longest(inputs, types[: len(inputs)], fillvalue="Any")
    ]
    columns += [
        f'<output name="{name}" typeRef="{kind}">{inside_output}</output>'
        for name, kind in zip_longest(outputs, given[: len(outputs)], fillvalue="Any")
    ]
    inside = "\n".join([*columns, *map(_rule, rules)])
    name = key.capitalize()
    return f'<decision id="{key}" name="{name}"><decisionTable {attributes}>\n{inside}\n</decisionTable>{beside}</decision>'


def _rule(text: str) -> str:
    tests, _, results = text.rpartition("->")
    cells = [_cell("inputEntry", each) for each in tests.split("|")] if tests.strip() else []
    return f"<rule>{''.join([*cells, *(_cell('outputEntry', each) for each in results.split('|'))])}</rule>"


def _cell(kind: str, text: str) -> str:
    return f"<{kind}><text>{escape(text.strip())}</text></{kind}>"


def dmn(*decisions: str, namespace: str = DMN, attributes: str = "") -> bytes:
    """A file with these decisions in it; the first one begins in line 2."""
    return f'<definitions xmlns="{namespace}" name="Decisions" {attributes}>\n{"".join(decisions)}\n</definitions>\n'.encode()
