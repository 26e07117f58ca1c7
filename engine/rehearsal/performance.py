"""A scenario played on a stage: what came of it, and what it passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.clock import TurnedClock
from engine.connector import Connectors, Value
from engine.definition.beginning import present
from engine.definition.carry_over import read_values
from engine.definition.finding import Position
from engine.errors import EngineError
from engine.execution.executable import Executable
from engine.execution.transition import CompleteJob
from engine.model.period import add_duration
from engine.model.text import with_remedy
from engine.rehearsal.expecting import Happened, Unmet, check_expected
from engine.rehearsal.scenario import (
    Action,
    BreakJob,
    ClaimTask,
    CompleteTask,
    FailJob,
    Look,
    PassTime,
    Scenario,
    SendMessage,
    SendSignal,
    SucceedJob,
    typed,
)
from engine.rehearsal.stage import Stage
from engine.rehearsal.stand_in import as_output, as_value, made_up, refuse_parameters
from engine.rehearsal.trail import told
from engine.rehearsal.work import Call, Instance, Job, Message, Move, Task

_MOST_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a scenario fails: what was expected, and what was found, at its place in the file."""

    position: Position
    message: str


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of a scenario. `trail` tells what happened, a line for each move; `nodes` and `flows` were passed;
    `seconds` is how long it took to play.
    """

    scenario: Scenario
    failure: Failure | None
    trail: tuple[str, ...]
    nodes: frozenset[str]
    flows: frozenset[str]
    seconds: float = 0.0


def perform(scenario: Scenario, executable: Executable, connectors: Connectors, called: Sequence[Executable] = ()) -> Performance:
    """Play a scenario, with the processes `called` at hand. What fails is part of the answer; nothing is raised for it."""
    play = _Play(scenario, executable, connectors, called)
    failure = None
    try:
        play.run()
    except Unmet as unmet:
        failure = Failure(unmet.position, str(unmet))
    except EngineError as error:
        failure = Failure(play.at, _in_scenarios(str(error)))
    own = [each for each in play.stage.instances.values() if each.executable is executable]
    nodes = frozenset(node for instance in own for node in instance.path)
    flows = frozenset(flow for instance in own for flow in instance.flows)
    return Performance(scenario, failure, tuple(play.trail), nodes, flows)


class _Play:
    """One scenario under way. `at` is the step that is being taken, `instance` the one that the scenario follows."""

    def __init__(self, scenario: Scenario, executable: Executable, connectors: Connectors, called: Sequence[Executable]) -> None:
        self.scenario = scenario
        self.executable = executable
        self.connectors = connectors
        self.at = scenario.position
        self.trail: list[str] = []
        self.stage = Stage(TurnedClock(scenario.now), watch=self._note)
        for each in (*called, executable):
            self.stage.deploy(each)
        self.nodes = {key: node for each in (*called, executable) for key, node in each.nodes.items()}
        self.instance: Instance | None = None
        self._jobs: list[Job] = []
        self._messages: list[Message] = []
        self._path: list[str] = []
        self._next: Action | None = None  # what the scenario does next

    def run(self) -> None:
        steps = self.scenario.steps
        actions = [step.action for step in steps]
        self._next = _first(actions)
        self._start()
        for number, step in enumerate(steps, start=1):
            self.at = step.position
            self._next = _first(actions[number:])
            before = (len(self._jobs), len(self._messages), len(self._path))
            self._take(step.action)
            self._run_jobs()
            if step.expected is not None:
                check_expected(step.expected, self._happened(*before))
        if self.scenario.expected is not None:
            self.at = self.scenario.expected.position
            check_expected(self.scenario.expected, self._happened(0, 0, 0))

    def _start(self) -> None:
        process, given = self.executable.definition.id, typed(self.scenario.start)
        if self.scenario.start_event is None:
            self.instance = self.stage.start(process, given)
        else:
            data = present(read_values(self.executable.definition.carry_over, given))
            self.instance = self.stage.begin(process, self.scenario.start_event, data)
        self._run_jobs()

    def _happened(self, jobs: int, messages: int, path: int) -> Happened:
        """Since so many jobs had succeeded, messages were thrown and flow nodes passed."""
        number = self._followed()
        return Happened(
            self.stage.instances[number],
            tuple(self._tasks()),
            tuple(self._jobs[jobs:]),
            tuple(self._messages[messages:]),
            tuple(self._path[path:]),
            self.nodes,
        )

    def _followed(self) -> int:
        assert self.instance is not None
        return self.instance.id

    def _tasks(self) -> list[Task]:
        """The open tasks of the instance that the scenario follows, then of what it has called."""
        return [task for number in self._with_called() for task in self.stage.tasks_of(number)]

    def _with_called(self) -> list[int]:
        numbers = [self._followed()]
        for number in numbers:  # grows while it is walked
            numbers += [each.called for each in self.stage.work_of(number) if isinstance(each, Call) and each.called is not None]
        return numbers

    def _note(self, move: Move) -> None:
        self.trail.append(told(move))
        self._path += move.transition.path
        if isinstance(move.trigger, CompleteJob) and isinstance(move.work, Job):
            self._jobs.append(move.work)
        self._messages += move.thrown

    # steps ..........................................................................................................

    def _take(self, action: Action) -> None:
        match action:
            case CompleteTask():
                self._complete(action)
            case ClaimTask():
                task = self._task(action.node)
                self.stage.claim(task.id, action.by or _somebody(task))
            case SucceedJob():
                job = self._job(action.job)
                self._succeed(job, {name: as_output(name, given, job) for name, given in action.outputs.items()})
            case FailJob():
                self._fail(action)
            case BreakJob():
                self.stage.break_down(self._job(action.job).id, action.why)
            case PassTime():
                self._pass(action.duration)
            case SendMessage():
                self._send(action)
            case SendSignal():
                self.stage.signal(action.name)
            case Look():
                pass

    def _complete(self, action: CompleteTask) -> None:
        task = self._task(action.node)
        if action.group is not None and action.group != task.group:
            offered = repr(task.group) if task.group is not None else "everyone"
            raise Unmet(self.at, f"Expected {task.name!r} to be offered to {action.group!r}, but it is offered to {offered}.")
        try:
            self.stage.complete(task.id, typed(action.values), action.by or task.claimed_by or _somebody(task))
        except EngineError as error:
            if action.refused is None or action.refused.casefold() not in str(error).casefold():
                raise
        else:
            if action.refused is not None:
                raise Unmet(self.at, f"Expected {task.name!r} to be refused with {action.refused!r}, but it was completed.")

    def _task(self, node: str) -> Task:
        for task in self._tasks():
            if task.flow_node == node:
                return task
        raise Unmet(self.at, f"Expected the task {self._called(node)} to be open, but {self._waiting()}.")

    def _called(self, node: str) -> str:
        name = self.nodes[node].name
        return f"{node} ({name})" if name else node

    def _waiting(self) -> str:
        """What the instance waits for, as part of a sentence."""
        number = self._followed()
        ends = self.stage.instances[number].end_events
        if ends is not None:
            return f"the instance has ended at {', '.join(map(self._called, ends)) or 'no end event'}"
        waiting = [self._called(work.flow_node) for each in self._with_called() for work in self.stage.work_of(each)]
        return f"the process waits at {', '.join(waiting)}"

    def _fail(self, action: FailJob) -> None:
        job = self._job(action.job)
        refuse_parameters(job, self.connectors)
        connector = self.connectors.get(job.topic)
        usual = connector.errors.get(action.code) if connector is not None else None
        self.stage.fail(job.id, action.code, action.says or usual or action.code)

    def _pass(self, duration: str) -> None:
        """Jobs that come up meanwhile run at their time."""
        until = add_duration(self.stage.clock.now(), duration)
        while (due := self.stage.next_due()) is not None and due <= until:
            self.stage.turn_to(due)
            self._run_jobs()
        self.stage.turn_to(until)

    def _send(self, action: SendMessage) -> None:
        """A message that was thrown arrives, or else one from outside, with the key that is waited for where none is given."""
        thrown = next((each for each in self.stage.messages.values() if each.name == action.name), None)
        if thrown is None:
            waiting = (
                each.key for each in self.stage.subscriptions.values() if (each.kind, each.name) == ("message", action.name)
            )
            values = {name: as_value(given) for name, given in action.values.items()}
            thrown = self.stage.publish(action.name, action.key or next(waiting, None), values)
        reached = self.stage.deliver(thrown.id)
        if thrown.hand_over:
            self.instance = reached

    # jobs run by themselves .........................................................................................

    def _run_jobs(self) -> None:
        """Let jobs succeed and messages reach those who wait for them, but those that the next step is about."""
        for _ in range(_MOST_JOBS):
            job = next((job for job in self.stage.jobs.values() if job.trouble is None and not self._awaited(job)), None)
            message = next((each for each in self.stage.messages.values() if self._arrives(each)), None)
            if job is not None:
                self._succeed(job, {})
            elif message is not None:
                self.stage.deliver(message.id)
            else:
                return
        raise Unmet(self.at, f"Expected the process to come to rest, but {_MOST_JOBS} jobs ran one after the other.")

    def _awaited(self, job: Job) -> bool:
        action = self._next
        return isinstance(action, SucceedJob | FailJob | BreakJob) and action.job in (job.flow_node, job.topic)

    def _arrives(self, message: Message) -> bool:
        awaited = isinstance(self._next, SendMessage) and self._next.name == message.name
        return not awaited and self.stage.receiver_of(message) is not None

    def _succeed(self, job: Job, outputs: Mapping[str, Value]) -> None:
        refuse_parameters(job, self.connectors)
        executable = self.stage.instances[job.instance].executable
        usual = made_up(job, executable, self.connectors, self.stage.clock.now())
        self.stage.succeed(job.id, {**usual, **outputs})

    def _job(self, name: str) -> Job:
        for job in self.stage.jobs.values():
            if name in (job.flow_node, job.topic):
                return job
        raise Unmet(self.at, f"Expected the job {name} to be open, but {self._waiting()}.")


def _in_scenarios(message: str) -> str:
    """What the product says of a missing value, for whoever writes it into a scenario and not on the command line."""
    return with_remedy(message, 'add it under "with".') if "Do: --set " in message else message


def _somebody(task: Task) -> str:
    """Who does a task where the scenario doesn't say: somebody of its group."""
    return task.group.lower() if task.group is not None else "somebody"


def _first(actions: Sequence[Action]) -> Action | None:
    return next((action for action in actions if not isinstance(action, Look)), None)
