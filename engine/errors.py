"""What can be wrong, as states of affairs.

    EngineError                    anything below is one; a person sees its text, never a traceback
    ├── DefinitionInvalid          a diagram, map or template is refused; carries the findings
    ├── DefinitionNotDeployed      no such process (or version) in this database
    ├── ExpressionInvalid          a text is not in the expression language
    ├── ExpressionFailed           an expression could not be evaluated on the data at hand
    ├── DataRefused                a value does not fit the type of its data item
    ├── AlreadyBilled              this customer's period has an instance already
    ├── NotBilled                  this customer is not to be billed for this period: paused, or ended
    ├── PeriodClosed               this period is closed; nothing of it may change
    ├── NotFound                   no record has this id
    ├── NotPermitted               this person may not do this (group, or separation of duties)
    ├── TaskNotOpen                the task was completed, withdrawn, or is claimed by someone else
    ├── InstanceNotActive          the instance has ended
    ├── InstanceStillActive        the instance has not ended yet
    ├── MessageNotCorrelated       nothing can receive this message
    ├── ChargeInDoubt              a charge's outcome isn't known, so nothing that depends on it may happen
    ├── RecordsUnavailable         a service's own records can't be read, so nothing can be compared with them
    ├── LeaseLost                  another worker owns this job now; nothing of this one may be saved
    ├── StateUnknown               an instance or database was written by a version this one does not know
    └── ConfigurationInvalid       a setting, file or secret is missing or wrong

Every message follows one form: what was expected, what was found, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.definition.finding import Finding


class EngineError(Exception):
    """Something a person can understand and act on. `str(error)` is the whole message."""


class DefinitionInvalid(EngineError):
    """A process definition is refused. `findings` says where and why, one each."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class DefinitionNotDeployed(EngineError):
    """No such process, or no such version of it, in this database."""


class ExpressionInvalid(EngineError):
    """A text is outside the expression language. `offset` is the 0-based character it concerns."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class ExpressionFailed(EngineError):
    """An expression is well formed, but has no value on the data at hand."""


class DataRefused(EngineError):
    """A value does not fit its data item. `item` names it where there is one."""

    def __init__(self, message: str, item: str | None = None) -> None:
        super().__init__(message)
        self.item = item


class AlreadyBilled(EngineError):
    """A (process, customer, period) has its instance already; it is named in `instance`."""

    def __init__(self, process: str, customer: str, period: str, instance: str) -> None:
        super().__init__(
            f"Expected no instance of {process} for customer {customer} in {period}, but {instance} is that bill. "
            f"Do: run-process show {instance}."
        )
        self.process, self.customer, self.period, self.instance = process, customer, period, instance


class NotBilled(EngineError):
    """The roster says that a customer is not to be billed for a period."""


class PeriodClosed(EngineError):
    """A period is closed; nothing of it may start or change until it is opened again."""


class NotFound(EngineError):
    """No record has this id."""


class NotPermitted(EngineError):
    """This person may not do this."""


class TaskNotOpen(EngineError):
    """The task cannot be worked on by this person now."""


class InstanceNotActive(EngineError):
    """The instance has ended."""


class InstanceStillActive(EngineError):
    """The instance has not ended yet."""


class MessageNotCorrelated(EngineError):
    """Nothing can receive this message."""


class ChargeInDoubt(EngineError):
    """The outcome of a charge isn't known yet; what depends on it has to wait."""


class RecordsUnavailable(EngineError):
    """A service's own records can't be read, or not all of them."""


class LeaseLost(EngineError):
    """The job's lease ended and another worker may own it; nothing of this run may be saved."""


class StateUnknown(EngineError):
    """A stored state or schema is of a version that this program does not know."""


class ConfigurationInvalid(EngineError):
    """A setting, file or secret is missing or wrong."""
