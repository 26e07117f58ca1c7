"""A recorded instance run once more, in memory: through its own definition, or through another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from engine.clock import TurnedClock
from engine.connector import Connectors, JobRequest, PaysBills, Value
from engine.definition.beginning import known_items
from engine.definition.data_item import check_value
from engine.errors import DataRefused, EngineError
from engine.execution.executable import Executable
from engine.execution.transition import CompleteJob, CompleteUserTask, FailJob, FireTimer, Receive, Trigger
from engine.rehearsal.company import refuse_calls
from engine.rehearsal.recording import Input, InputKind, Payment, Recording
from engine.rehearsal.stage import Stage
from engine.rehearsal.work import Instance, Job, Subscription, Task, Timer, Work

OF_KIND: Mapping[InputKind, type[Work]] = {
    InputKind.TASK: Task,
    InputKind.CLAIM: Task,
    InputKind.RELEASE: Task,
    InputKind.JOB: Job,
    InputKind.TIMER: Timer,
    InputKind.MESSAGE: Subscription,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a definition asks for that was not recorded. `kind`: start, task, field, value, person, job, parameters, timer,
    message or move; `what` says it for people.
    """

    kind: str
    flow_node: str
    what: str


class Unanswered(Exception):
    """The run can't go on: something is asked for that was not recorded."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(ask.what)
        self.ask = ask


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an instance. `handed` is what the hand-over gives the next one, `shown` what its forms show beside empty
    fields; both None without a hand-over. `open` are the flow nodes at which it waits, in the end.
    """

    path: tuple[str, ...]
    paid: tuple[Payment, ...]
    handed: Mapping[str, Value] | None
    shown: Mapping[str, Value] | None
    end_events: tuple[str, ...] | None
    open: tuple[str, ...]


class Rerun(Stage):
    """One instance, moved by what was recorded and by nothing else."""

    def __init__(self, executable: Executable, recording: Recording, connectors: Connectors) -> None:
        super().__init__(TurnedClock(recording.started_at))
        self.executable, self.recording, self.connectors = executable, recording, connectors
        self.paid: list[Payment] = []
        self.number = 0
        self.deploy(executable)

    @property
    def instance(self) -> Instance:
        """The instance as it is now."""
        return self.instances[self.number]

    def start_at(self, start_event: str) -> Instance:
        """Begin. Raises Unanswered, EngineError."""
        definition = self.executable.definition
        data = known_items(definition, self.recording.data)
        for name, value in data.items():
            check_value(definition.carry_over.items[name], value)
        self.number = self.begin(definition.id, start_event, data).id
        return self.instance

    def outcome(self) -> Outcome:
        """How it stands."""
        instance = self.instance
        thrown = next((message for message in self.messages.values() if message.hand_over), None)
        return Outcome(
            instance.path,
            tuple(self.paid),
            thrown.data if thrown is not None else None,
            thrown.previous if thrown is not None else None,
            instance.end_events,
            tuple(work.flow_node for work in self.work_of(instance.id)),
        )

    def take(self, given: Input, work: Work) -> Instance:
        """Let what came come to what waits for it. Raises Unanswered, EngineError."""
        self._turn_clock(given.at)
        match given.kind, work:
            case (InputKind.CLAIM, Task()):
                self._put(replace(work, claimed_by=given.by))
            case (InputKind.RELEASE, Task()):
                self._put(replace(work, claimed_by=None))
            case (_, Job()):
                self._end_job(given, work)
            case _:
                self._move(work, self._trigger(given, work))
        return self.instance

    def _trigger(self, given: Input, work: Work) -> Trigger:
        match work:
            case Task():
                return CompleteUserTask(work.token, given.values, given.by)
            case Subscription():
                return Receive(work.token, given.values)
            case _:
                return FireTimer(work.token)

    def _end_job(self, given: Input, job: Job) -> None:
        if given.error is not None:
            self._move(job, FailJob(job.token, given.error, given.says, given.general))
            return
        paid = self._payment(job)
        self._move(job, CompleteJob(job.token, given.values))
        if paid is not None:
            self.paid.append(paid)

    def _payment(self, job: Job) -> Payment | None:
        """What a job takes from the customer; None for one that takes nothing. Raises Unanswered for parameters that its
        connector would refuse.
        """
        connector = self.connectors.get(job.topic)
        if connector is None or not isinstance(connector, PaysBills):
            return None
        instance = self.instance
        try:
            parameters = connector.parameters.model_validate(dict(job.parameters))
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False))
            raise Unanswered(Ask("parameters", job.flow_node, f"{job.topic} would refuse its parameters: {found}")) from error
        of = (instance.process, self.recording.version, self.recording.instance, job.flow_node)
        request = JobRequest(self.recording.instance, job.topic, parameters, 1, *of, instance.customer, instance.period)
        bill = connector.bill(request, livemode=False)
        return Payment(bill.amount, bill.currency, bill.stripe_customer)


# --- through its own definition ---------------------------------------------------------------------------------------


def reproduce(executable: Executable, recording: Recording, connectors: Connectors) -> Outcome | str:
    """Run an instance through the definition that it ran on; or where what comes of that isn't what was recorded, and why."""
    run = Rerun(executable, recording, connectors)
    try:
        refuse_calls(executable)
        run.start_at(recording.start_event)
        passed = run.instance.path
        if passed != recording.path:
            return _departs("its start", recording.path, passed)
        for given in recording.inputs:
            before = len(run.instance.path)
            run.take(given, _with_token(run, given))
            passed = run.instance.path[before:]
            if passed != given.path:
                return _departs(f"{given.kind} {given.flow_node}", given.path, passed)
    except (EngineError, Unanswered) as error:
        return str(error)
    return _ends_as_recorded(run.outcome(), recording)


def _with_token(run: Rerun, given: Input) -> Work:
    for work in run.work_of(run.number):
        if isinstance(work, OF_KIND[given.kind]) and work.flow_node == given.flow_node and given.token in (None, work.token):
            return work
    raise DataRefused(f"Expected {given.flow_node} to be open at {given.at:%Y-%m-%d %H:%MZ}, but it isn't. Do: show its history.")


def _departs(at: str, recorded: Sequence[str], passed: Sequence[str]) -> str:
    before, now = (" > ".join(nodes) or "nothing" for nodes in (recorded, passed))
    return f"at {at}, history says that {before} was passed, and now it is {now}"


def _ends_as_recorded(outcome: Outcome, recording: Recording) -> Outcome | str:
    paid = tuple((payment.amount, payment.currency) for payment in outcome.paid)
    if outcome.end_events != recording.end_events:
        return f"it ended at {recording.end_events}, and now at {outcome.end_events}"
    if any(charge not in paid for charge in recording.charged):
        return f"history says that {recording.charged} was charged, and now it is {paid}"
    if outcome.handed != recording.handed:
        return "it handed over other data than now"
    return outcome
