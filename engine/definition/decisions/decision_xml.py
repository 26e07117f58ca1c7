"""The names of DMN's XML: its versions, its elements, and those that are read past."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from engine.definition.bpmn_xml import words
from engine.expressions.kinds import ANY, BOOLEAN, NOTHING, NUMBER, TEXT, Kinds

VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd": "1.1",
        "http://www.omg.org/spec/DMN/20180521/MODEL/": "1.2",
        "https://www.omg.org/spec/DMN/20191111/MODEL/": "1.3",
    }
)
"""Namespace -> the version that is read. Modelers write 1.3."""

DRAWN = words(
    "inputData knowledgeSource textAnnotation association group artifact extensionElements description elementCollection "
    "organizationUnit performanceIndicator"
)
"""Top-level elements that explain a decision to people."""

EXPLAINED = words(
    "description extensionElements question allowedAnswers variable authorityRequirement supportedObjective "
    "impactedPerformanceIndicator decisionMaker decisionOwner usingProcess usingTask"
)
"""What a decision may say about itself that changes nothing."""

IN_TABLE = words("input output rule annotation description extensionElements")
IN_INPUT = words("inputExpression inputValues description extensionElements")
IN_OUTPUT = words("outputValues defaultOutputEntry description extensionElements")
IN_RULE = words("inputEntry outputEntry annotationEntry description extensionElements")

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "requiredDecision": "a required decision",
        "knowledgeRequirement": "a knowledge requirement",
        "businessKnowledgeModel": "a business knowledge model",
        "decisionService": "a decision service",
        "itemDefinition": "a type of one's own",
        "import": "an import",
        "invocation": "an invocation",
        "context": "a context",
        "relation": "a relation",
        "list": "a list of expressions",
        "functionDefinition": "a function",
    }
)
"""What is refused, in words."""

TYPES: Mapping[str, Kinds] = MappingProxyType(
    {
        "Any": ANY,
        "string": TEXT | NOTHING,
        "date": TEXT | NOTHING,
        "boolean": BOOLEAN | NOTHING,
        **dict.fromkeys(words("integer long number double"), NUMBER | NOTHING),
    }
)
"""The types of columns. Numbers are whole here, dates are texts."""

_FEEL = re.compile(r"feel|https?://www\.omg\.org/spec/(?:DMN/[0-9]+/)?FEEL/?(?:[0-9]+/?)?", re.IGNORECASE)


def is_feel(language: str | None) -> bool:
    """Whether an expression language is FEEL, which stands for none given as well."""
    return language is None or _FEEL.fullmatch(language) is not None
