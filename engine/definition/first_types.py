"""Which type a data item probably has, where nobody has said it: told from forms, expressions, and what connectors take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.definition.check.business_rules import asked, items_by_name, results_of
from engine.definition.check.cases import name_alone
from engine.definition.check.subject import Subject, kinds_of_type
from engine.definition.check.types import DECIDE, EXAMPLES, given, is_bare, refuses
from engine.definition.check.user_tasks import FIELD_TYPES
from engine.definition.check.uses import Place, Text, Use
from engine.definition.data_item import DataItem, DataType, Drop, parse_value
from engine.definition.decisions.decision import HitPolicy
from engine.definition.diagram import FlowNode, FormField, Parameter
from engine.errors import DataRefused
from engine.expressions.kinds import ANY, NOTHING, NUMBER, Kind, Kinds
from engine.model.money import EXPONENTS

_CURRENCY: Final = "currency"
_SOME_TEXT: Final = "Some text"
_FIRST: Final = (
    DataType.STRING,
    DataType.EMAIL,
    DataType.CURRENCY,
    DataType.MONTH,
    DataType.DATE,
    DataType.MONEY,
    DataType.INTEGER,
    DataType.BOOLEAN,
)
"""Types in the order in which they are taken, where several are possible. The modeler's nearest type says more: see below."""
_NEAREST: Final[Mapping[str, DataType]] = MappingProxyType(
    {"long": DataType.INTEGER, "boolean": DataType.BOOLEAN, "date": DataType.DATE, "enum": DataType.CHOICE}
)
_OPEN: Final = tuple(each for each in _FIRST if each is not DataType.MONEY)
_MOST_ROUNDS: Final = 3

_Possible: TypeAlias = tuple[DataType, ...]


@dataclass(frozen=True, slots=True)
class FirstType:
    """A type with what belongs to it. `is_known` is False where nothing in the diagram tells it."""

    type: DataType
    choices: tuple[str, ...] = ()
    currency: str | None = None
    is_known: bool = True


def first_types(subject: Subject, uses: Mapping[str, Iterable[Use]]) -> dict[str, FirstType]:
    """The type of each name in `uses`.

    A form field's type comes first, then what a connector takes for a parameter that hands the item over as it is, then what
    conditions and scripts do with it: a type is left out where an expression could never go well with it.
    """
    finder = _Finder(subject, {name: tuple(found) for name, found in uses.items()})
    return {name: finder.first_type(name) for name in uses}


class _Finder:
    """Leaves out types that can't be, until no more can be left out."""

    def __init__(self, subject: Subject, uses: Mapping[str, tuple[Use, ...]]) -> None:
        self._subject = subject
        self._uses = uses
        self._by_name: dict[str, list[Text]] = {}
        for text, study in subject.texts:
            for name in {*study.reads, *(each for each, _, _ in given(text, study))} if text.place is not Place.DECISION else ():
                self._by_name.setdefault(name, []).append(text)
        self._decided = _decided(subject, uses)
        self._currencies: dict[str, str] = {}
        self._fields = {name: _fields(name, found) for name, found in uses.items()}
        self._possible = {name: self._at_first(name) for name in uses}
        for _ in range(_MOST_ROUNDS):  # what is known of one item says something about those that it is compared with
            before = dict(self._possible)
            kinds = {name: self._kinds(name) for name in uses}
            for name in uses:
                if len(self._possible[name]) > 1:
                    self._possible[name] = self._that_go_well(name, kinds) or self._possible[name]
            if before == self._possible:
                break

    def first_type(self, name: str) -> FirstType:
        found = self._possible[name][0]
        if found is DataType.CHOICE:
            return FirstType(found, _choices(self._fields[name]))
        is_known = bool(self._fields[name]) or self._possible[name] != _OPEN
        return FirstType(found, (), self._currencies.get(name) if found is DataType.MONEY else None, is_known)

    def _at_first(self, name: str) -> _Possible:
        drawn = _drawn(self._fields[name])
        taken = tuple(each for each in drawn or _FIRST if self._is_taken(name, each))
        return taken or drawn or _OPEN

    # what connectors take ...........................................................................................

    def _is_taken(self, name: str, data_type: DataType) -> bool:
        """Whether every connector and decision table that is handed the item takes values of a type, and every table that sets it
        gives some. Money needs a currency beside it.
        """
        handed = list(self._handed(name))
        examples = EXAMPLES.get(data_type, (_SOME_TEXT,))
        if not all(each & kinds_of_type(data_type) for each in self._decided.get(name, ())):
            return False
        for node, parameter in handed:
            connector = self._subject.connectors.get(node.topic or "")
            if connector and all(refuses(connector.parameters, parameter, value) for value in examples):
                return False
        return data_type is not DataType.MONEY or self._has_currency(name, [node for node, _ in handed])

    def _handed(self, name: str) -> Iterator[tuple[FlowNode, str]]:
        """(service task, parameter) wherever the item is handed over as it is, or comes back under a parameter's name."""
        for text in self._by_name.get(name, ()):
            node = text.element
            if not isinstance(node, FlowNode) or not text.name:
                continue
            if text.place is Place.INPUT and is_bare(text, name):
                yield node, text.name
            if text.place is Place.OUTPUT and text.name == name and (connector := self._subject.connectors.get(node.topic or "")):
                yield from ((node, each) for each in connector.parameters.model_fields if is_bare(text, each))

    def _has_currency(self, name: str, nodes: Iterable[FlowNode]) -> bool:
        for node in nodes:
            if currency := next((found for each in node.inputs if (found := self._currency(each))), None):
                self._currencies[name] = currency
                return True
        return False

    def _currency(self, parameter: Parameter) -> str | None:
        if parameter.name != _CURRENCY:
            return None
        text = "".join(parameter.text.split())
        item = text.removeprefix("${").removesuffix("}")
        return item if item in self._uses or text in EXPONENTS else None

    # what expressions do ............................................................................................

    def _that_go_well(self, name: str, kinds: Mapping[str, Kinds]) -> _Possible:
        usual = [(text, self._trouble(text, name, {**kinds, name: ANY})) for text in self._by_name.get(name, ())]

        def goes_well(data_type: DataType) -> bool:
            """Whether no text has more trouble with the item when it is of this type than when it may be anything."""
            known = {**kinds, name: kinds_of_type(data_type)}
            return all(self._trouble(text, name, known) <= trouble for text, trouble in usual)

        return tuple(each for each in self._possible[name] if goes_well(each))

    def _kinds(self, name: str) -> Kinds:
        return frozenset[Kind]().union(*(kinds_of_type(each) for each in self._possible[name]))

    def _trouble(self, text: Text, name: str, kinds: Mapping[str, Kinds]) -> int:
        study = text.parsed.study(kinds if _reads_items(text) else {})
        undecided = text.place in DECIDE and Kind.BOOLEAN not in study.kinds
        set_to = (found - NOTHING for item, found, _ in given(text, study) if item == name)
        return len(study.mismatches) + undecided + sum(bool(found) and not found & kinds[name] for found in set_to)


def _reads_items(text: Text) -> bool:
    """In output parameters, results of the connector hide the items of their names."""
    return text.place is not Place.OUTPUT


def _decided(subject: Subject, names: Collection[str]) -> dict[str, list[Kinds]]:
    """What decision tables compare items with, and what they give them."""
    found: dict[str, list[Kinds]] = {}
    studies = {(text.element.id, text.position): study for text, study in subject.texts if text.place is Place.DECISION}
    for node, decision in asked(subject.process, subject.decisions):
        stands_for = items_by_name(node, names)
        for number, column in enumerate(decision.inputs):
            kinds = found.setdefault(stands_for.get(name_alone(column.expression) or "", ""), [])
            kinds += [column.kinds, *(rule.tests[number].kinds for rule in decision.rules)]
        kinds = found.setdefault((node.business_rule and node.business_rule.item) or "", [])
        if decision.hit_policy is HitPolicy.COUNT:
            kinds.append(NUMBER)
            continue
        for output, _, position in results_of(decision):
            study = studies.get((node.id, position))
            kinds.append(output.kinds & (study.kinds if study is not None else ANY))
    return {name: [values for each in kinds if (values := each - NOTHING)] for name, kinds in found.items()}


def _fields(name: str, uses: Iterable[Use]) -> tuple[FormField, ...]:
    nodes = dict.fromkeys(use.element for use in uses if use.place is Place.FIELD and isinstance(use.element, FlowNode))
    return tuple(field for node in nodes for field in node.fields if field.name == name)


def _choices(fields: Iterable[FormField]) -> tuple[str, ...]:
    """The values of all fields, but for those that no item can have."""
    return tuple(dict.fromkeys(key for field in fields for key, _ in field.choices if _is_choice(key, field)))


def _is_choice(key: str, field: FormField) -> bool:
    try:
        return parse_value(DataItem("choice", DataType.STRING, Drop(), field.position), key, None) == key
    except DataRefused:
        return False


def _drawn(fields: tuple[FormField, ...]) -> _Possible:
    """The types that suit all form fields of an item, the modeler's nearest first; none where it has no field."""
    suitable = list(_by_fields(fields))
    if _choices(fields) and any(field.type == "enum" for field in fields):
        return (DataType.CHOICE,)
    common = [each for each in suitable[0] if all(each in others for others in suitable)] if suitable else []
    return tuple(common) or (suitable[0] if suitable else ())


def _by_fields(fields: Iterable[FormField]) -> Iterator[_Possible]:
    for field in fields:
        possible = tuple(each for each in _FIRST if field.type in FIELD_TYPES[each])
        if nearest := _NEAREST.get(field.type):
            possible = (nearest,)
        if possible and nearest is not DataType.CHOICE:
            yield possible
