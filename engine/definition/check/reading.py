"""What is found before any rule applies: files that can't be read, and carry-over maps that say something impossible.

The readers find these (engine/definition/*_reader.py, safe_xml.py, safe_yaml.py, data_item_rules.py) and refuse the file. Here
they are documented, in the form in which a rule's docstring documents it. None can be silenced. All are errors but
what is found in scenarios (engine/rehearsal/scenario_reader.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_FILES = {
    "diagram-missing": """A definition has a diagram.
Why: the map alone runs nothing.
Wrong: `billing.carry-over.yaml` beside `Billing.bpmn`
Right: `billing.carry-over.yaml` beside `billing.bpmn`""",
    "file-unreadable": """Files can be read, and have at most five million bytes.
Why: what can't be read can't be judged.
Wrong: a file that others may not read
Right: `chmod a+r billing.bpmn`""",
    "file-too-large": """A diagram has at most five megabytes.
Why: one of 1,000 elements has a tenth of that; more is an embedded picture, or an attack.
Wrong: a diagram with photographs in it
Right: the diagram alone""",
    "too-deep": """Elements stand within each other at most 100 levels deep.
Why: real diagrams stay below 20; deeper ones exhaust readers.
Wrong: a generated file of 5,000 nested elements
Right: the file as a modeler saves it""",
    "doctype-refused": """A diagram has no DOCTYPE.
Why: a DOCTYPE can make a reader fetch other files, or repeat content without end. BPMN needs none.
Wrong: `<!DOCTYPE definitions SYSTEM "https://example.com/x.dtd">`
Right: the file without that line""",
    "not-well-formed": """A diagram is well-formed XML.
Why: readers disagree about anything else.
Wrong: `<task id="a"><task>`
Right: `<task id="a"></task>`, as modelers save it""",
    "not-a-diagram": """The file is a BPMN 2.0 diagram: its first element is `<definitions>`.
Why: pictures and other XML look alike in a folder.
Wrong: `<svg>...</svg>` in a file named `billing.bpmn`
Right: the file saved as BPMN 2.0""",
    "process-required": """A diagram has a process.
Why: without one there is nothing to run.
Wrong: `<definitions/>`
Right: a start event, tasks and an end event""",
    "diagram-too-large": """A process has at most 5,000 elements and sequence flows.
Why: proofs take time with the square of it, and nobody can review a larger one.
Wrong: a generated process of 20,000 tasks
Right: several processes that start each other by messages""",
}
_YAML = {
    "yaml-not-utf-8": """A carry-over map is saved in UTF-8.
Why: in another encoding, names with accents become others.
Wrong: a file saved as ISO 8859-1
Right: the same file saved as UTF-8""",
    "yaml-too-large": """A carry-over map is small enough to be reviewed.
Why: one of 500 data items has a few dozen kilobytes.
Wrong: a map with a price list in it
Right: the data items and their decisions""",
    "yaml-too-deep": """A carry-over map has few levels.
Why: deeper ones exhaust readers, and say nothing that the map knows.
Wrong: `data: [[[[[[...]]]]]]`
Right: `data: {amount: {type: money, currency: EUR, carry: drop}}`""",
    "yaml-unreadable": """A carry-over map is YAML.
Why: what can't be read can't decide anything.
Wrong: `data: [`
Right: `data: {amount: {type: integer, carry: drop}}`""",
    "yaml-directive": """A carry-over map begins with its entries, without a `%` line.
Why: directives change how what follows is read.
Wrong: `%YAML 1.1` above the map
Right: the map alone""",
    "yaml-several-documents": """A file holds one carry-over map.
Why: of two, it would be unclear which one counts.
Wrong: two maps with `---` between them
Right: one map""",
    "yaml-key-not-text": """A key is text.
Why: `yes`, `1` and lists as keys are read differently by different programs.
Wrong: `1: {type: string, carry: copy}`
Right: `first: {type: string, carry: copy}`""",
    "yaml-merge-key": """Every entry is written out.
Why: who reviews an item must see its decision where it stands.
Wrong: `email: {<<: *copied}`
Right: `email: {type: email, carry: copy}`""",
    "yaml-duplicate-key": """Every key stands once.
Why: of two decisions for one item, it would be unclear which one counts.
Wrong: `email` listed twice, once with `copy`, once with `drop`
Right: `email` listed once""",
    "yaml-anchor": """Values are written out, not referred to.
Why: an alias far from its anchor hides what is decided, and can be made to grow without end.
Wrong: `email: &kept {type: email, carry: copy}`
Right: `email: {type: email, carry: copy}`""",
    "yaml-tag": """A value has no tag.
Why: tags make programs read values as something else.
Wrong: `type: !!python/name:str`
Right: `type: string`""",
}
_MAP = {
    "carry-over-unknown-key": """A map has only keys that it knows.
Why: a misspelt key decides nothing, and nobody would notice.
Wrong: `amount: {type: integer, cary: drop}`
Right: `amount: {type: integer, carry: drop}`""",
    "carry-over-missing-key": """A map says everything that it must: its process, its data, each item's type.
Why: nothing is guessed where money depends on it.
Wrong: `amount: {carry: drop}`
Right: `amount: {type: integer, carry: drop}`""",
    "carry-over-wrong-type": """Each entry has the kind of value that belongs there.
Why: a value that could be read in two ways isn't read at all.
Wrong: `choices: yes`
Right: `choices: ["yes", "no"]`""",
    "carry-over-repeated": """A list names everything once.
Why: what is named twice was meant to be something else.
Wrong: `{different_people: [approve, approve]}`
Right: `{different_people: [enter, approve]}`""",
    "carry-over-message-without-bill": """A process that hands over has a bill.
Why: the bill's customer and period tell which instance is the next one, so that nobody is billed twice.
Wrong: `message: next-billing` alone
Right: `bill: {customer: customer_id, period: month, every: P1M}` beside it""",
    "carry-over-bill-without-message": """A process that has a bill hands over.
Why: else every chain would end after its first period.
Wrong: `bill: ...` alone
Right: `message: next-billing` beside it""",
    "carry-over-next-without-bill": """`carry: next` stands where a bill says how far the next period is.
Why: without `every`, nobody knows what follows.
Wrong: `month: {type: month, carry: next}` without a bill
Right: `bill: {..., every: P1M}` beside it""",
    "carry-over-bill-amount": """The bill's amount is money.
Why: it is what is compared with the charges.
Wrong: `amount: {type: integer, carry: drop}`
Right: `amount: {type: money, currency: currency, carry: drop}`""",
    "carry-over-bill-every": """`every` is a distance between periods that fits their type.
Why: months are counted in months, days in days or weeks.
Wrong: `every: monthly`
Right: `every: P1M`""",
    "carry-over-unknown-item": """What the map refers to is one of its own items.
Why: a name that is no item has no value.
Wrong: `bill: {customer: custommer, ...}`
Right: `bill: {customer: customer, ...}`""",
    "carry-over-bill-customer": """The bill's customer is an id that every period has again.
Why: a chain belongs to one customer.
Wrong: `customer: {type: string, carry: drop}`
Right: `customer: {type: string, carry: copy}`""",
    "carry-over-bill-period": """The bill's period is a month or a date, and carries to the next one.
Why: the period comes from the one before it, never from the clock.
Wrong: `month: {type: month, carry: copy}`
Right: `month: {type: month, carry: next}`""",
    "carry-over-unknown-control": """A control is one of those that can be proved.
Why: one that isn't understood would prove nothing.
Wrong: `{charge: must_pass approve}`
Right: `{path: charge, must_pass: approve}`""",
    "carry-over-different-people": """`different_people` names two user tasks or more.
Why: one task is always done by one person.
Wrong: `{different_people: [approve]}`
Right: `{different_people: [enter, approve]}`""",
    "carry-over-too-many-items": """A map has at most 500 data items.
Why: nobody can review more.
Wrong: a map with one item for each product
Right: one text item that lists the products""",
    "carry-over-item-name": """An item's name can be used in expressions.
Why: it is what conditions and parameters read.
Wrong: `billing amount`
Right: `billing_amount`""",
    "carry-over-unknown-type": """An item's type is one of those there are.
Why: the type decides how what people enter is read.
Wrong: `type: number`
Right: `type: integer`""",
    "carry-over-missing-decision": """Every item says what becomes of it.
Why: fail-closed: nothing is carried over by being forgotten.
Wrong: `email: {type: email}`
Right: `email: {type: email, carry: copy}`""",
    "carry-over-unknown-decision": """The decision is one of those there are.
Why: the next instance starts with what it says.
Wrong: `carry: keep`
Right: `carry: copy`""",
    "carry-over-expression-invalid": """An expression of the map is in the expression language.
Why: it is evaluated when a month hands over, when nobody looks.
Wrong: `carry: {expr: "count++"}`
Right: `carry: {expr: "count + 1"}`""",
    "carry-over-missing-choices": """An item of the type choice has choices.
Why: without them nothing could be chosen.
Wrong: `way: {type: choice, carry: drop}`
Right: `way: {type: choice, choices: [card, bank], carry: drop}`""",
    "carry-over-choices-without-choice": """Choices stand at items of the type choice.
Why: elsewhere they would bind nobody.
Wrong: `way: {type: string, choices: [card, bank], carry: drop}`
Right: `way: {type: choice, choices: [card, bank], carry: drop}`""",
    "carry-over-missing-currency": """Money has a currency.
Why: a number of minor units without one is no amount.
Wrong: `amount: {type: money, carry: drop}`
Right: `amount: {type: money, currency: EUR, carry: drop}`""",
    "carry-over-currency-without-money": """A currency stands at money.
Why: elsewhere it would mean nothing.
Wrong: `count: {type: integer, currency: EUR, carry: drop}`
Right: `count: {type: integer, carry: drop}`""",
    "carry-over-unknown-currency": """A currency is a code of ISO 4217, or an item that holds one.
Why: it decides how many decimals an amount has.
Wrong: `currency: EURO`
Right: `currency: EUR`""",
    "carry-over-amount-without-currency": """An amount that goes along takes its currency along.
Why: in another currency it would be another amount.
Wrong: an amount with `copy` whose currency has `drop`
Right: both with `copy`""",
    "carry-over-previous-is-copied": """`show_previous` stands where the field starts empty.
Why: a copied item starts with the previous value already.
Wrong: `email: {type: email, carry: copy, show_previous: true}`
Right: `email: {type: email, carry: copy}`""",
    "carry-over-next-of-no-period": """`carry: next` stands at months and dates.
Why: nothing else has a next one.
Wrong: `count: {type: integer, carry: next}`
Right: `count: {type: integer, carry: {expr: "count + 1"}}`""",
}

_SCENARIOS = {
    "scenarios-invalid": """The scenarios beside a diagram are written as `test` reads them, and name what there is.
Severity: warning
Why: after a change to the diagram, scenarios that name what is gone try nothing any more.
Wrong: `task: aprove`
Right: `task: approve`""",
}

READING: Mapping[str, str] = MappingProxyType({**_FILES, **_YAML, **_MAP, **_SCENARIOS})
"""Rule id -> its documentation."""
