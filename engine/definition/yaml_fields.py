"""Taking typed entries out of a YAML mapping, with a finding for each that is missing, unknown or of the wrong type."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.definition.finding import Finding, Position, Severity
from engine.definition.safe_yaml import MOST_FINDINGS, YamlList, YamlMap, YamlNode, YamlScalar, refused
from engine.errors import DataRefused, DefinitionInvalid
from engine.model.text import did_you_mean, refuse_hidden, shown


@dataclass(frozen=True, slots=True)
class Report:
    """Collects findings. `prefix` comes before every verdict: `carry-over` and `unknown-key` make `carry-over-unknown-key`.

    Raises DefinitionInvalid once there are MOST_FINDINGS.
    """

    prefix: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, verdict: str, position: Position, message: str) -> None:
        """Note one thing that is wrong."""
        self.include(Finding(f"{self.prefix}-{verdict}", Severity.ERROR, position, message))

    def include(self, *findings: Finding) -> None:
        """Note what was found elsewhere."""
        self.findings.extend(findings)
        if len(self.findings) >= MOST_FINDINGS:
            raise self.refused()

    def refused(self) -> DefinitionInvalid:
        """The error that carries the findings in the order of the file."""
        return refused(*sorted(self.findings, key=lambda finding: finding.position))


class Fields:
    """The entries of one mapping. `what` names it in messages ("the item email"); `keys` are all that it may have."""

    def __init__(self, node: YamlMap, keys: tuple[str, ...], what: str, report: Report) -> None:
        self.position = node.position
        self.what = what
        self._report = report
        self._nodes = {key.text: value for key, value in node.entries}
        for key, _ in node.entries:
            if key.text not in keys:
                message = (
                    f"Expected one of {', '.join(keys)} in {what}, but there is {shown(key.text)}. {did_you_mean(key.text, keys)}"
                )
                report.add("unknown-key", key.position, message)

    def node(self, key: str) -> YamlNode | None:
        """The entry as it was written; None where it is absent."""
        return self._nodes.get(key)

    def required(self, key: str, example: str, verdict: str = "missing-key") -> YamlNode | None:
        """The entry as it was written; None, with a finding, where it is absent."""
        node = self._nodes.get(key)
        if node is None:
            self._report.add(verdict, self.position, f'Expected "{key}" in {self.what}, but it is missing. Do: add {example}.')
        return node

    def boolean(self, key: str) -> bool:
        """An entry that is true or false; false where it is absent or wrong."""
        node = self._nodes.get(key)
        if node is None:
            return False
        if isinstance(node, YamlScalar) and node.meaning == "boolean":
            return node.value is True
        self._report.add(
            "wrong-type",
            node.position,
            f'Expected true or false for "{key}" in {self.what}, but it is {described(node)}. Do: write true or false.',
        )
        return False

    def text(self, key: str) -> str | None:
        """An entry that is text; None where it is absent or wrong."""
        node = self._nodes.get(key)
        return None if node is None else as_text(node, f'"{key}" in {self.what}', self._report)


def as_text(node: YamlNode, what: str, report: Report) -> str | None:
    """The text of a node; None, with a finding, where it is anything else, is empty or hides characters."""
    if isinstance(node, YamlScalar) and node.meaning == "text" and node.text.strip():
        try:
            refuse_hidden(node.text, several_lines=True)
        except DataRefused as error:
            report.add("wrong-type", node.position, f"{what}: {error}")
            return None
        return node.text.strip()
    if isinstance(node, YamlScalar) and node.text.strip():
        remedy = f"put it in quotes, {shown(node.text)}, if it is meant as text"
        message = f"Expected text for {what}, but YAML may read {node.text} as something else. Do: {remedy}."
    else:
        message = f"Expected text for {what}, but it is {described(node)}. Do: write text."
    report.add("wrong-type", node.position, message)
    return None


def as_texts(node: YamlNode, what: str, report: Report) -> tuple[str, ...]:
    """The texts of a list that has entries, each once; with a finding for every other thing."""
    if not isinstance(node, YamlList) or not node.items:
        report.add(
            "wrong-type", node.position, f"Expected a list for {what}, but it is {described(node)}. Do: write [one, another]."
        )
        return ()
    texts: dict[str, None] = {}  # a set that keeps the order
    for item in node.items:
        text = as_text(item, what, report)
        if text in texts:
            report.add(
                "repeated", item.position, f"Expected every entry of {what} once, but {shown(text)} is repeated. Do: remove it."
            )
        elif text is not None:
            texts[text] = None
    return tuple(texts)


def as_map(node: YamlNode, what: str, report: Report) -> YamlMap | None:
    """A node that is a mapping; None, with a finding, where it is anything else."""
    if isinstance(node, YamlMap):
        return node
    report.add("wrong-type", node.position, f"Expected a mapping for {what}, but it is {described(node)}. Do: write key: value.")
    return None


def described(node: YamlNode) -> str:
    """What a node is, for messages."""
    match node:
        case YamlList():
            return "a list" if node.items else "an empty list"
        case YamlMap():
            return "a mapping" if node.entries else "an empty mapping"
        case _:
            return shown(node.text) if node.meaning != "empty" and node.text else "empty"
