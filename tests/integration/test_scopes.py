"""Sub-processes, repeated activities and errors at work: through the store, the worklist and the workers."""

from __future__ import annotations

from datetime import timedelta

from engine.clock import TurnedClock
from engine.connector import BusinessError
from engine.services import resolving, worklist
from engine.services.runtime import Runtime
from tests.builders.company import Company
from tests.builders.drawing import end, exclusive, flows, form_field, service, start, timer, user
from tests.builders.drawing_scopes import error, error_end, event_start, handler, instances, on_edge, repeated, sub
from tests.builders.timers import deployed, fire_all
from tests.doubles.connectors import RecordingConnector

DAY = timedelta(days=1)
APPROVING = sub(
    "checking",
    start("begin"),
    user("approve", form_field("approved", "boolean")),
    exclusive("fine", "fine-checked"),
    error_end("refused"),
    end("checked"),
    on_edge("slow", "approve", timer("P3D"), interrupting=False),
    user("nudge"),
    end("nudged"),
    flows("begin -> approve -> fine -> checked", "fine -> refused if ${not approved}", "slow -> nudge -> nudged"),
)
NODES = {"approve": "", "decision": "", "stopped": "", "checking": APPROVING}
WAYS = {"start": "start -> enter -> checking -> charge", "yes": "", "no": "", "stop": ""}
CAUGHT = {"caught": on_edge("caught", "checking", error())}
CAUGHT_WAY = {"caught": "caught -> enter"}


def names(company: Company, instance: str) -> list[str]:
    return [task.flow_node for task in company.open(instance)]


def test_a_month_goes_through_a_sub_process_and_its_reminder(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, {**NODES, **CAUGHT}, {**WAYS, **CAUGHT_WAY})
    instance = company.start()
    company.enter(instance)
    clock.advance(3 * DAY)
    assert [fired.flow_node for fired in fire_all(runtime)] == ["slow"]
    assert names(company, instance) == ["approve", "nudge"]
    approve, nudge = company.open(instance)
    worklist.complete(runtime, approve.id, {"approved": "true"}, "mia")
    assert names(company, instance) == ["nudge"]
    worklist.complete(runtime, nudge.id, {}, "mia")
    company.work()
    assert company.instance(instance).state == "completed"


def test_an_error_inside_is_caught_on_the_edge_and_withdraws_what_is_open_there(runtime: Runtime, clock: TurnedClock) -> None:
    company = deployed(runtime, {**NODES, **CAUGHT}, {**WAYS, **CAUGHT_WAY})
    instance = company.start()
    company.enter(instance)
    clock.advance(3 * DAY)
    fire_all(runtime)
    approve = company.open(instance)[0]
    worklist.complete(runtime, approve.id, {"approved": "false"}, "mia")
    assert names(company, instance) == ["enter"]
    assert [each["state"] for each in company.details(instance)["timers"]] == ["fired"]


def test_an_error_that_nothing_catches_ends_the_instance_and_a_person_is_told(runtime: Runtime) -> None:
    company = deployed(runtime, NODES, WAYS)
    instance = company.start()
    company.enter(instance)
    company.approve(instance, approved=False)
    assert company.instance(instance).state == "completed"
    assert names(company, instance) == []
    [incident] = resolving.open_incidents(runtime)
    assert incident["kind"] == "stuck"
    assert "'declined' of 'refused', but nothing does, so the instance has ended there" in incident["reason"]
    assert company.events(instance)[-2:] == ["incident_created", "instance_completed"]
    resolving.resolve(runtime, incident["id"], "Called the customer.", "olivia")
    assert resolving.open_incidents(runtime) == []


def test_each_of_several_tasks_shows_and_takes_what_is_its_own(runtime: Runtime) -> None:
    review = user("review", form_field("amount") + form_field("receipt"))
    marked = repeated(review, instances(collection="${[10, 20]}", each="amount"))
    company = deployed(runtime, {"review": marked}, {"start": "start -> enter -> review -> approve -> decision"})
    instance = company.start()
    company.enter(instance)
    first, second = company.open(instance)
    shown = [worklist.task(runtime, task.id).fields[0].value for task in (first, second)]
    assert shown == [10, 20]
    done = worklist.complete(runtime, first.id, {"amount": "0.11", "receipt": "one"}, "ann")
    assert [field.value for field in done.fields] == [11, "one"]
    worklist.complete(runtime, second.id, {"amount": "0.21", "receipt": "two"}, "ben")
    assert names(company, instance) == ["approve"]
    data = company.details(instance)["data"]
    assert (data["amount"], data["receipt"]) == (500, "two")


def test_a_job_s_error_is_handled_by_an_event_sub_process(runtime: Runtime, pay: RecordingConnector) -> None:
    mend = handler("help", event_start("failed", error(None, 'camunda:errorCodeVariable="receipt"')), user("mend"), end("mended"),
                   flows("failed -> mend -> mended"))  # fmt: skip
    charge = service("charge", {"amount": "${amount}", "purpose": "Bill"}, {"receipt": "${payment_id}"})
    paying = sub("paying", start("p_start"), charge, end("paid"), mend, flows("p_start -> charge -> paid"))
    company = deployed(
        runtime,
        {"charge": paying, "declined": "", "call": ""},
        {"yes": "decision -> paying if ${approved and amount > 0}", "charge": "paying -> next -> end", "declined": ""},
    )
    pay.answers(BusinessError("declined", "No funds."))
    instance = company.approved()
    company.work()
    assert names(company, instance) == ["mend"]
    assert company.details(instance)["data"]["receipt"] == "declined"
    company.do(instance, "ann")
    company.work()
    assert company.instance(instance).state == "completed"
