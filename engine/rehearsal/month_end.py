"""A simulated company's books: what coverage, the product's own, is judged by at the end of a period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from engine.billing.coverage import CoverageRow, cover
from engine.billing.roster import ENDED, RosterEvent
from engine.billing.situation import Before, ChargeFact, IncidentFact, InstanceFact, Situation, TaskFact, WorkFact
from engine.definition.carry_over import CarryOverMap, EveryEndHandsOver
from engine.rehearsal.company import Company
from engine.rehearsal.work import Instance, Job, Task, Timer

SUCCEEDED = "succeeded"


class Books:
    """Who is billed from which period on, what was charged, which contracts have ended, and what stands still."""

    def __init__(self, company: Company, carry_over: CarryOverMap) -> None:
        self._company, self._carry_over = company, carry_over
        self.first_periods: dict[str, str] = {}
        self.charges: dict[str, dict[str, ChargeFact]] = {}  # period -> customer -> the charge of the bill
        self.ended: dict[str, list[RosterEvent]] = {}
        self.incidents: dict[int, IncidentFact] = {}
        self.thrown: dict[int, tuple[int, str, datetime]] = {}  # instance -> the hand-over message that it threw
        self._by_customer: dict[str, list[int]] = {}
        self._ends = {end for control in carry_over.controls if isinstance(control, EveryEndHandsOver) for end in control.except_}

    def began(self, instance: Instance) -> None:
        """An instance was started."""
        if instance.customer is not None and instance.period is not None:
            self.first_periods.setdefault(instance.customer, instance.period)
            self._by_customer.setdefault(instance.customer, []).append(instance.id)

    def charged(self, instance: Instance, amount: int, currency: str, at: datetime) -> None:
        """A bill was paid: minor units."""
        if instance.customer is not None and instance.period is not None:
            of_period = self.charges.setdefault(instance.period, {})
            of_period[instance.customer] = ChargeFact(instance.id, amount, currency, SUCCEEDED, False, None, at)

    def handed_over(self, instance: int, message: int, at: datetime) -> None:
        """An instance threw its hand-over message."""
        self.thrown[instance] = (message, "waiting", at)

    def delivered(self, instance: int) -> None:
        """That message has arrived."""
        message, _, at = self.thrown[instance]
        self.thrown[instance] = (message, "delivered", at)

    def completed(self, instance: Instance, at: datetime) -> None:
        """An instance has ended: where that ends its customer's contract, the roster says so, as on a real engine."""
        ends = [end for end in instance.end_events or () if end in self._ends]
        if not ends or instance.customer is None or instance.period is None or instance.id in self.thrown:
            return
        bill = self._carry_over.bill
        given = instance.data.get((bill.end_reason if bill is not None else None) or "")
        reason = str(given) if given else instance.executable.nodes[ends[0]].name or ends[0]
        event = RosterEvent(ENDED, instance.period, reason, at, "simulation", instance.id)
        self.ended.setdefault(instance.customer, []).append(event)

    def stuck(self, instance: int, why: str, message: int | None = None) -> None:
        """An instance, or the hand-over message that it threw, can't go on without a person."""
        self.incidents.setdefault(instance, IncidentFact(instance, why, message))

    def mended(self, instance: int) -> None:
        """It can again."""
        self.incidents.pop(instance, None)

    # coverage .......................................................................................................

    def cover(self, period: str) -> list[CoverageRow]:
        """What has become of each customer who should be billed for the period, by now."""
        instances = {name: facts for name in self.first_periods if (facts := self._of_period(name, period))}
        missing = [name for name in self.first_periods if name not in instances]
        before = {name: bill for name in missing if (bill := self._before(name, period)) is not None}
        asked = [*(fact.number for facts in instances.values() for fact in facts), *(each.number for each in before.values())]
        return cover(
            Situation(
                process=self._carry_over.process,
                period=period,
                now=self._company.clock.now(),
                first_periods=self.first_periods,
                events=self.ended,
                instances=instances,
                charges=self.charges.get(period, {}),
                refunded={},
                tasks={number: list(self._tasks(number)) for number in asked},
                work={number: list(self._work(number)) for number in asked},
                incidents=self.incidents,
                before=before,
                cancellations={},
            )
        )

    def _of_period(self, customer: str, period: str) -> list[InstanceFact]:
        found = (self._company.instances[number] for number in self._by_customer.get(customer, ()))
        return [self._fact(instance) for instance in found if instance.period == period]

    def _fact(self, instance: Instance) -> InstanceFact:
        item, data = self._carry_over.billed_item, instance.data
        amount = data.get(item.name) if item is not None else None
        return InstanceFact(
            instance.id,
            "active" if instance.active else "completed",
            billed=True,
            ended_at=instance.ended_at,
            amount=amount if isinstance(amount, int) else None,
            currency=self._carry_over.currency_of(item, data) if item is not None else None,
            thrown=instance.id in self.thrown,
        )

    def _before(self, customer: str, period: str) -> Before | None:
        earlier = [self._company.instances[number] for number in self._by_customer.get(customer, ())]
        last = max((each for each in earlier if (each.period or "") < period), key=lambda each: each.period or "", default=None)
        if last is None or last.period is None:
            return None
        return Before(last.id, last.period, "active" if last.active else "completed", self.thrown.get(last.id))

    def _tasks(self, instance: int) -> Iterator[TaskFact]:
        for work in self._company.work_of(instance):
            if isinstance(work, Task):
                yield TaskFact(work.id, work.name, work.group, work.claimed_by, work.created_at, work.due_at)

    def _work(self, instance: int) -> Iterator[WorkFact]:
        for work in self._company.work_of(instance):
            if isinstance(work, Job):
                yield WorkFact(work.topic, work.created_at, work.created_at, work.trouble)
            elif isinstance(work, Timer):
                yield WorkFact(work.flow_node, work.started_at, work.due_at, None)
