"""What a business rule task says: which decision it asks, and where the result goes (Camunda 7's attributes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.definition.bpmn_xml import CAMUNDA, attribute

if TYPE_CHECKING:
    from lxml.etree import _Element

DEPLOYMENT = "deployment"
SINGLE_ENTRY, SINGLE_RESULT = "singleEntry", "singleResult"


@dataclass(frozen=True, slots=True)
class BusinessRule:
    """As written. `mapping` singleEntry puts the decision's one value into the data item `result`; singleResult gives `result`
    to the task's output parameters as a dictionary with all values by name, and nothing of that name stays.
    """

    decision: str | None
    binding: str | None
    mapping: str | None
    result: str | None

    @property
    def item(self) -> str | None:
        """The data item that the task sets, beside those of its output parameters."""
        return self.result if self.mapping == SINGLE_ENTRY else None


def read_business_rule(element: _Element, kind: str) -> BusinessRule | None:
    """What a business rule task says; None for every other element."""
    if kind != "businessRuleTask":
        return None
    return BusinessRule(
        decision=attribute(element, "decisionRef", CAMUNDA),
        binding=attribute(element, "decisionRefBinding", CAMUNDA),
        mapping=attribute(element, "mapDecisionResult", CAMUNDA),
        result=attribute(element, "resultVariable", CAMUNDA),
    )
