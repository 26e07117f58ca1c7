"""A company's months as a state machine: people, workers, crashes, the bank and the calendar, in any order.

Two engines share one database; each has its own connections and its own cache of definitions. After every step the auditor
looks at everything. Workers call one connector at a time, so that a run can be repeated step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from connectors.stripe.settle import StripeSettling
from engine.errors import AlreadyBilled, ChargeInDoubt, LeaseLost, NotPermitted, TaskNotOpen
from engine.services import handing_over, resolving, starting, worklist
from engine.services.job_running import call_connector
from engine.services.resolving import Done, Ended
from engine.services.working import Worker
from tests.proofs.happenings import (
    AMOUNT,
    CARD,
    CUSTOMER,
    ENGINE,
    EVERYDAY,
    FAULT,
    MAIL,
    MISFORTUNES,
    MOMENT,
    OTHERWISE,
    PATH,
    PAUSE,
    PROCESS,
    TURN,
    USER,
    Held,
    Killed,
)
from tests.proofs.office import Office

T = TypeVar("T")


class Draw(Protocol):
    """Hypothesis' choice, shown by its label when a test fails."""

    def __call__(self, strategy: st.SearchStrategy[T], label: str) -> T: ...


class Months(Office):
    """One company's months: what happens to it is drawn at each step."""

    @initialize(customers=st.integers(1, 3), misfortunes=st.sets(st.sampled_from(sorted(MISFORTUNES)), min_size=7))
    def some_wait_for_their_charge(self, customers: int, misfortunes: set[str]) -> None:
        """Not every run meets every misfortune: those that come together more often go further."""
        self.happenings = {**EVERYDAY, **{name: MISFORTUNES[name] for name in sorted(misfortunes)}}
        for customer in range(customers):
            self._start(0, customer, "2026-10")
            self.look()
        self._everyone_does_what_waits(1, "120.50")
        self._everyone_does_what_waits(1, "120.50")

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One of the things that can happen as things stand."""
        possible = [name for name, weight in self.happenings.items() if self._possible(name) for _ in range(weight)]
        name = data.draw(st.sampled_from(possible), label="what happens")
        getattr(self, name)(data.draw)

    def _possible(self, name: str) -> bool:
        rows = self.rows
        needed: dict[str, Callable[[], object]] = {
            "people_go_on": lambda: rows.open_tasks,
            "somebody_takes_a_task": lambda: rows.open_tasks,
            "somebody_decides_otherwise": self._otherwise,
            "an_incident_is_attended_to": lambda: rows.open_incidents,
            "an_instance_is_cancelled": lambda: rows.active,
            "a_message_is_delivered": lambda: [row for row in rows.messages if row.state == "waiting"],
            "a_worker_dies": lambda: rows.open_jobs,
            "a_worker_is_slow": lambda: rows.open_jobs,
            "a_worker_is_paused_inside": lambda: rows.open_jobs,
            "a_slow_worker_comes_back": lambda: self.held,
            "the_network_answers": lambda: self.stripe.in_state("processing"),
            "a_customer_pays_in_person": self._to_be_authenticated,
        }
        return name not in needed or bool(needed[name]())

    # --- looking ----------------------------------------------------------------------------------------------------

    # --- people -----------------------------------------------------------------------------------------------------

    def a_month_starts(self, draw: Draw) -> None:
        """Once for each customer and period, from nothing or from an instance that has ended."""
        ended = [row for row in self.rows.instances if row.state != "active"]
        engine = draw(ENGINE, "engine")
        if ended and draw(st.booleans(), "reuse"):
            source = draw(st.sampled_from(ended), "of")
            reuse = self.refused(
                lambda: starting.reuse(self.engines[engine], PROCESS, f"i{source.id}", {}, "olivia"), AlreadyBilled
            )
            self.reached["reused"] += reuse is not None
        else:
            self._start(engine, draw(CUSTOMER, "customer"), draw(st.sampled_from(["2026-10", "2026-11"]), "month"))

    def people_go_on(self, draw: Draw) -> None:
        """They do what waits, as one hopes."""
        self._everyone_does_what_waits(draw(ENGINE, "engine"), draw(AMOUNT, "amount"))

    def somebody_takes_a_task(self, draw: Draw) -> None:
        """Claims, gives back or completes it: also somebody who may not."""
        engine, user = draw(ENGINE, "engine"), draw(USER, "user")
        task = draw(st.sampled_from(self.rows.open_tasks), "task")
        act = worklist.release if task.claimed_by == user else worklist.claim
        if draw(st.booleans(), "complete"):
            self._do(engine, task, self._happy(task, "120.50"), user)
        else:
            self.refused(lambda: act(self.engines[engine], f"t{task.id}", user), TaskNotOpen, NotPermitted)

    def somebody_decides_otherwise(self, draw: Draw) -> None:
        """Sends back, ends the contract, gives up."""
        task = draw(st.sampled_from(self._otherwise()), "task")
        decision = draw(st.sampled_from(OTHERWISE[task.flow_node]), "decision")
        self._do(draw(ENGINE, "engine"), task, decision, self._doer(task))
        self.reached[next(iter(decision.values()))] += 1

    def _otherwise(self) -> list[Any]:
        return [task for task in self.rows.open_tasks if task.flow_node in OTHERWISE]

    def an_instance_is_cancelled(self, draw: Draw) -> None:
        """Refused exactly while the outcome of its charge isn't known."""
        instance = draw(st.sampled_from(self.rows.active), "instance")
        engine = self.engines[draw(ENGINE, "engine")]
        doubt = any(row.instance_id == instance.id for row in self.rows.in_doubt)
        refusals = (ChargeInDoubt,) if doubt else ()
        freed = self.refused(lambda: resolving.cancel(engine, f"i{instance.id}", "Mistaken.", "olivia"), *refusals)
        assert (freed is None) == doubt
        self.reached["cancelled"] += not doubt

    def an_incident_is_attended_to(self, draw: Draw) -> None:
        """Retried; or somebody who has looked says how it ended, and their word is true."""
        incident = draw(st.sampled_from(self.rows.open_incidents), "incident")
        engine = draw(ENGINE, "engine")
        if self._only_tells(incident) or (draw(st.booleans(), "resolve") and not self._under_way(incident)):
            self._resolve(engine, incident)
        else:
            self._retry(engine, incident)

    def _retry(self, engine: int, incident: Any) -> None:
        resolving.retry(self.engines[engine], f"x{incident.id}", "olivia")
        self.reached["retried"] += 1

    def _resolve(self, engine: int, incident: Any) -> None:
        verdict = self._verdict(incident) if incident.job_id else None
        resolving.resolve(self.engines[engine], f"x{incident.id}", "We have looked.", "olivia", verdict)
        self.reached["resolved"] += 1

    def _only_tells(self, incident: Any) -> bool:
        """Nothing waits for it; somebody has to know."""
        return incident.job_id is None and incident.message_id is None and incident.timer_id is None

    def _under_way(self, incident: Any) -> bool:
        """Nobody can know yet how a charge ends that is processing."""
        processing = set(self.stripe.in_state("processing"))
        return any(row.instance_id == incident.instance_id and row.intent in processing for row in self.rows.charges)

    def _verdict(self, incident: Any) -> Done | Ended:
        job = next(row for row in self.rows.jobs if row.id == incident.job_id)
        if job.topic == self.mail.topic:
            return Done({"message_id": "by hand"})
        if job.topic == StripeSettling.topic:
            return Done({"settled_at": self.clock.now().isoformat()})
        charge = next((row for row in self.rows.charges if row.instance_id == incident.instance_id), None)
        if charge and any(intent == charge.intent for _, intent, *_ in self.stripe.taken()):
            return Done({"payment_intent": charge.intent, "charged_at": self.clock.now().isoformat()})
        return Ended("card_declined")

    def another_version_is_deployed(self, draw: Draw) -> None:
        """Instances keep theirs; the next month begins on the newest."""
        self._deploy()

    # --- workers ----------------------------------------------------------------------------------------------------

    def a_worker_works(self, draw: Draw) -> None:
        """It does what is due."""
        self._work(draw(ENGINE, "engine"))

    def a_message_is_delivered(self, draw: Draw) -> None:
        """Nothing else is done."""
        assert handing_over.deliver_next(self.engines[draw(ENGINE, "engine")], "worker w") is not None

    def a_worker_dies(self, draw: Draw) -> None:
        """Inside the connector, or when it has the answer and before it saves it."""

        def killed() -> None:
            raise Killed

        engine = draw(ENGINE, "engine")
        for job in self._lease(engine):
            self.stripe.http.at(draw(MOMENT, "moment"), killed)
            try:
                call_connector(self.engines[engine], job)
            except Killed:
                self.reached["killed inside"] += 1
            self.stripe.http.nothing_happens()
            self.reached["killed"] += 1

    def a_worker_is_slow(self, draw: Draw) -> None:
        """It takes a job, and the connector isn't called yet, or has answered."""
        engine = draw(ENGINE, "engine")
        for job in self._lease(engine):
            asked = draw(st.booleans(), "the connector has answered")
            self.held.append(Held(engine, job, call_connector(self.engines[engine], job) if asked else None))

    def a_slow_worker_comes_back(self, draw: Draw) -> None:
        """It saves its outcome if nobody has taken the job over, and else nothing."""
        held = self.held.pop(draw(st.integers(0, len(self.held) - 1), "which"))
        try:
            outcome = held.outcome or call_connector(self.engines[held.engine], held.job)
        except LeaseLost:
            assert not self._still_has(held.job)
            assert self._rows() == self.rows
            self.reached["lease lost before"] += 1
            return
        self.look()
        self._commit(held.engine, held.job, outcome)

    def a_worker_is_paused_inside(self, draw: Draw) -> None:
        """In the middle of a request; meanwhile the other one works, and people go on."""
        engine, pause, people = draw(ENGINE, "engine"), draw(PAUSE, "pause"), draw(st.booleans(), "people go on")

        def meanwhile() -> None:
            self.clock.advance(pause)
            self._work(1 - engine)
            if people:
                self._everyone_does_what_waits(1 - engine, "120.50")
                self._work(1 - engine)
            self.reached["paused inside"] += 1

        for job in self._lease(engine):
            self.stripe.http.at(draw(MOMENT, "moment"), meanwhile)
            try:
                outcome = call_connector(self.engines[engine], job)
            except LeaseLost:
                self.look()
                assert not self._still_has(job)
            else:
                self.stripe.http.nothing_happens()
                self.look()
                self._commit(engine, job, outcome)

    # --- the calendar, the bank, the post -----------------------------------------------------------------------------

    def time_goes_by(self, draw: Draw) -> None:
        """Minutes to months."""
        self.clock.advance(draw(TURN, "by"))

    def a_card_changes(self, draw: Draw) -> None:
        """The customer has another card from now on, or the bank treats the same one otherwise."""
        change = self.stripe.give_card if draw(st.booleans(), "new") else self.stripe.change_card
        change(self.customers[draw(CUSTOMER, "customer")], f"pm_card_{draw(CARD, 'card')}")
        self._often_at_once(draw)

    def a_request_meets_trouble(self, draw: Draw) -> None:
        """One of the next, on the way."""
        self.stripe.trouble(draw(FAULT, "trouble"), draw(PATH, "path"), draw(st.integers(1, 2), "times"))
        self._often_at_once(draw)

    def _often_at_once(self, draw: Draw) -> None:
        """Most misfortunes pass unnoticed unless work meets them."""
        if draw(st.sampled_from([True, True, False]), "at once"):
            self._everyone_does_what_waits(0, "120.50")
            self._work(draw(ENGINE, "engine"))

    def the_network_answers(self, draw: Draw) -> None:
        """Late, to a charge that is processing."""
        intent = draw(st.integers(0, len(self.stripe.in_state("processing")) - 1), "which")
        self.stripe.settle(self.stripe.in_state("processing")[intent], succeeds=draw(st.booleans(), "succeeds"))
        self.reached["settled late"] += 1

    def a_customer_pays_in_person(self, draw: Draw) -> None:
        """The bank wanted to see them, and they confirm the payment with it."""
        rows = self._to_be_authenticated()
        row = rows[draw(st.integers(0, len(rows) - 1), "which")]
        self.stripe.pays_in_person(row.intent, row.stripe_customer)
        self.reached["paid in person"] += 1

    def _to_be_authenticated(self) -> list[Any]:
        asked = {task.instance_id for task in self.rows.open_tasks if task.flow_node == "ask_to_authenticate"}
        return [
            row
            for row in self.rows.charges
            if row.state == "requires_action"
            and row.instance_id in asked
            and self.stripe.tables["payment_intent"][row.intent]["status"] == "requires_payment_method"
            and self.stripe.behaviour(row.stripe_customer) == "pm_card_authenticationRequired"
        ]

    def the_post_fails(self, draw: Draw) -> None:
        """The next e-mail isn't sent."""
        self.mail.answers(draw(MAIL, "outcome"))

    # --- the end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._note_what_was_reached()
            self._settle_everything()
            self._everything_is_settled()
        finally:
            self.reader.close()
            for engine in self.engines:
                engine.database.close()

    def _note_what_was_reached(self) -> None:
        rows = self.rows
        self.reached["runs"] += 1
        for event in {entry.event for entry in rows.history}:
            self.reached[f"runs with {event}"] += 1
        self.reached["months completed"] += sum(row.state == "completed" for row in rows.instances)
        self.reached["charged"] += sum(row.state == "succeeded" for row in rows.charges)
        self.reached["handed over"] += sum(row.state == "delivered" for row in rows.messages)
        self.reached["incidents"] += len(rows.incidents)
        self.reached["runs with doubt"] += any("charge_unknown" in row.event for row in rows.history)

    def _settle_everything(self) -> None:
        """The world is well again, time goes by, people retry: until nothing is left."""
        self.stripe.no_trouble()
        self.mail.queued.clear()
        for customer in self.customers:
            self.stripe.give_card(customer, "pm_card_visa")
        for attempt in range(4):
            for intent in self.stripe.in_state("processing"):
                self.stripe.settle(intent, succeeds=True)
            for incident in self.rows.open_incidents:
                if self._only_tells(incident):
                    self._resolve(0, incident)
                elif attempt < 2:
                    self._retry(0, incident)
                elif incident.message_id:
                    self._resolve(0, incident)
                else:
                    resolving.cancel(self.engines[0], f"i{incident.instance_id}", "It can't be charged.", "olivia")
            self.look()
            for engine in (0, 1):
                self.clock.advance(timedelta(days=2))
                Worker(self.engines[engine], f"w{engine}").run(until_idle=True)
                self.look()

    def _everything_is_settled(self) -> None:
        rows = self.rows
        assert not rows.open_incidents, f"incidents left: {[json_of(row) for row in rows.open_incidents]}"
        assert not rows.open_jobs, f"jobs left: {rows.open_jobs}"
        assert not rows.in_doubt, f"charges in doubt left: {rows.in_doubt}"
        assert all(row.state in ("delivered", "settled") for row in rows.messages)
        known = {row.charge_key for row in rows.charges if row.state == "succeeded" and row.intent is not None}
        unlooked = {row.charge_key for row in rows.charges if row.state == "requires_action"}
        taken = {key for key, *_ in self.stripe.taken()}
        assert known <= taken <= known | unlooked, f"charged but not recorded: {taken - known}"


def json_of(row: Any) -> dict[str, Any]:
    """A row as a failing test shows it."""
    return dict(row._mapping)
