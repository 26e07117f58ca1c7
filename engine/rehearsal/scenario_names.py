"""What the names in scenarios stand for: flow nodes by id or name, data items, jobs, errors and messages of one definition, and
of those that it calls.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from engine.connector import Connectors
from engine.definition.diagram import FlowNode
from engine.definition.process_definition import ProcessDefinition
from engine.definition.safe_yaml import YamlMap, YamlNode, YamlScalar
from engine.definition.yaml_fields import Report, as_map, as_text, described
from engine.model.text import did_you_mean, shown
from engine.rehearsal.scenario import Given, Values

_JOBS = ("serviceTask", "sendTask")


class Names:
    """The names of one definition and of those that it calls; each that there is none of becomes a finding."""

    def __init__(
        self, definition: ProcessDefinition, connectors: Connectors, report: Report, called: Sequence[ProcessDefinition] = ()
    ) -> None:
        self.definition = definition
        self._called = called
        self._connectors = connectors
        self._report = report

    # flow nodes .....................................................................................................

    def node(self, node: YamlNode | None, kinds: Collection[str], what: str) -> str | None:
        """The flow node of these kinds that has this id, or else this name."""
        text = as_text(node, what, self._report) if node is not None else None
        if node is None or text is None:
            return None
        known = [each for each in self._nodes.values() if each.kind in kinds]
        found = self._find(text, known)
        if found is None:
            self._unknown("unknown-element", node, what, text, [each.id for each in known])
        return found

    def any_node(self, node: YamlNode | None) -> str | None:
        """The flow node of any kind that has this id, or else this name."""
        return self.node(node, {each.kind for each in self._nodes.values()}, "a flow node")

    def own_node(self, node: YamlNode | None, kinds: Collection[str], what: str) -> str | None:
        """The flow node of the definition itself that has this id, or else this name."""
        return Names(self.definition, self._connectors, self._report).node(node, kinds, what)

    @cached_property
    def _nodes(self) -> dict[str, FlowNode]:
        """By id; where two processes have the same one, it is the definition's own."""
        nodes: dict[str, FlowNode] = {}
        for each in (*self._called, self.definition):
            nodes |= each.process.nodes
        return nodes

    @staticmethod
    def _find(text: str, nodes: Iterable[FlowNode]) -> str | None:
        nodes = list(nodes)
        named = [each.id for each in nodes if each.id == text] or [each.id for each in nodes if each.name == text]
        return named[0] if len(named) == 1 else None

    # jobs ...........................................................................................................

    def job(self, node: YamlNode | None) -> str | None:
        """The service task of this id or name, or else this topic."""
        text = as_text(node, '"job"', self._report) if node is not None else None
        if node is None or text is None:
            return None
        jobs = [each for each in self._nodes.values() if each.kind in _JOBS and each.topic]
        found = self._find(text, jobs) or next((text for each in jobs if each.topic == text), None)
        if found is None:
            self._unknown("unknown-element", node, "a service task", text, [each.id for each in jobs])
        return found

    def topic_of(self, job: str) -> str:
        """The topic that a service task's id stands for; a topic is itself."""
        node = self._nodes.get(job)
        return (node.topic or job) if node is not None else job

    def error(self, node: YamlNode | None, job: str) -> str | None:
        """An error code that the job's connector can give."""
        code = as_text(node, '"fails"', self._report) if node is not None else None
        connector = self._connectors.get(self.topic_of(job))
        if node is not None and code is not None and connector is not None and code not in connector.errors:
            self._unknown("unknown-error", node, f"an error of {connector.topic}", code, connector.errors)
            return None
        return code

    def outputs(self, node: YamlNode | None, job: str) -> Values:
        """Outputs that the job's connector gives."""
        connector = self._connectors.get(self.topic_of(job))
        known = connector.outputs if connector is not None else None
        return self._entries(node, '"succeeds"', f"an output of {self.topic_of(job)}", known, "unknown-output")

    def parameters(self, node: YamlNode | None, topic: str) -> Values:
        """Parameters that the topic's connector takes."""
        connector = self._connectors.get(topic)
        known = None
        if connector is not None and connector.parameters.model_config.get("extra") != "allow":
            known = connector.parameters.model_fields
        return self._entries(node, f"a job of {topic}", f"a parameter of {topic}", known, "unknown-parameter")

    # items and messages .............................................................................................

    def items(self, node: YamlNode | None, what: str) -> Values:
        """Data items with values."""
        items = self.definition.carry_over.items
        return self._entries(node, what, f"a data item of {self.definition.id}", items, "unknown-item")

    def entered(self, node: YamlNode | None, what: str) -> Values:
        """Data items with values, of whichever process has the task that they are entered in."""
        items = {name for each in (self.definition, *self._called) for name in each.carry_over.items}
        return self._entries(node, what, f"a data item of {self.definition.id}", items, "unknown-item")

    def values(self, node: YamlNode | None, what: str) -> Values:
        """Values by any names."""
        return self._entries(node, what, "a value", None, "")

    def message(self, node: YamlNode | None) -> str | None:
        """A message that the diagram throws or catches."""
        text = as_text(node, "a message", self._report) if node is not None else None
        if node is not None and text is not None and text not in self._messages:
            self._unknown("unknown-message", node, f"a message of {self.definition.id}", text, self._messages)
            return None
        return text

    @cached_property
    def _messages(self) -> frozenset[str]:
        of = (each.process.nodes.values() for each in (self.definition, *self._called))
        events = (event for nodes in of for node in nodes for event in node.events)
        return frozenset(event.name for event in events if event.kind == "message" and event.name)

    def _entries(
        self, node: YamlNode | None, what: str, kind: str, known: Collection[str] | None, verdict: str
    ) -> dict[str, Given]:
        entries = as_map(node, what, self._report) if node is not None and not _is_empty(node) else None
        values = {}
        for key, value in entries.entries if entries is not None else ():
            if known is not None and key.text not in known:
                self._unknown(verdict, key, kind, key.text, known)
            elif isinstance(value, YamlScalar):
                values[key.text] = Given(None if value.meaning == "empty" else value.text, value.position, value.plain)
            else:
                message = f"Expected one value for {key.text} in {what}, but it is {described(value)}. Do: write one."
                self._report.add("wrong-type", value.position, message)
        return values

    def _unknown(self, verdict: str, node: YamlNode, what: str, text: str, known: Iterable[str]) -> None:
        message = f"Expected {what}, but {shown(text)} is none. {did_you_mean(text, known)}"
        self._report.add(verdict, node.position, message)


def _is_empty(node: YamlNode) -> bool:
    return (isinstance(node, YamlScalar) and node.meaning == "empty") or (isinstance(node, YamlMap) and not node.entries)
