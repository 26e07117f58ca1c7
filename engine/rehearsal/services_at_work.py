"""Services behind connectors, simulated: how long they take, which errors they answer with, when they can't be reached."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from random import Random

from engine.connector import Connectors
from engine.rehearsal.agenda import Agenda
from engine.rehearsal.company import Company
from engine.rehearsal.distribution import draw
from engine.rehearsal.profile import Profile, ServiceHabits
from engine.rehearsal.stand_in import made_up
from engine.rehearsal.tally import Tally
from engine.rehearsal.work import Job

_RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""As workers try again that have no run-process.yaml; then a person is needed."""


class Services:
    """What answers jobs. `done` is told of each that succeeded, `incident` of each that needs a person (with why), `mended`
    when it doesn't any more.
    """

    def __init__(
        self,
        company: Company,
        agenda: Agenda,
        profile: Profile,
        connectors: Connectors,
        chance: Random,
        tally: Tally,
        *,
        done: Callable[[Job], None],
        incident: Callable[[Job, str], None],
        mended: Callable[[Job], None],
    ) -> None:
        self._company, self._agenda, self._profile = company, agenda, profile
        self._connectors, self._chance, self._tally = connectors, chance, tally
        self._done, self._incident, self._mended = done, incident, mended
        self._begins = company.clock.now()
        self._failed: set[tuple[int, str]] = set()  # instances in which a flow node's job has ended in an error before

    def ask(self, job: Job) -> None:
        """A job is there: a worker takes it at once."""
        takes = draw(self._profile.service(job.topic).takes, self._chance)
        self._agenda.put(self._now() + timedelta(seconds=takes), partial(self._answer, job.id, 0))

    def _now(self) -> datetime:
        return self._company.clock.now()

    def _answer(self, number: int, tries: int) -> None:
        job = self._company.jobs.get(number)
        if job is None:  # withdrawn meanwhile
            return
        back_at = self._back_at(self._profile.service(job.topic))
        if back_at is not None:
            self._postpone(job, tries, back_at)
            return
        if job.trouble is not None:
            self._mended(job)
        self._company.attempt(job.instance, partial(self._end, job))

    def _back_at(self, habits: ServiceHabits) -> datetime | None:
        """When the service can be reached again; None while it can."""
        since = self._now() - self._begins
        ends = [each.begins_after + each.lasts for each in habits.outages if each.begins_after <= since]
        late = [end for end in ends if since < end]
        return self._begins + max(late) if late else None

    def _postpone(self, job: Job, tries: int, back_at: datetime) -> None:
        if tries < len(_RETRY_AFTER):
            self._tally.job(job.topic).tried_again += 1
            self._agenda.put(self._now() + _RETRY_AFTER[tries], partial(self._answer, job.id, tries + 1))
            return
        self._tally.job(job.topic).incidents += 1
        broken = self._company.break_down(job.id, f"{job.topic} can't be reached")
        self._incident(broken, broken.trouble or "")
        mended_at = back_at + timedelta(seconds=draw(self._profile.incident_lasts, self._chance))
        self._agenda.put(mended_at, partial(self._answer, job.id, 0))

    def _end(self, job: Job) -> None:
        code = self._error(job)
        tally = self._tally.job(job.topic)
        if code is not None:
            self._failed.add((job.instance, job.flow_node))
            tally.errors[code] = tally.errors.get(code, 0) + 1
            connector = self._connectors.get(job.topic)
            self._company.fail(job.id, code, (connector.errors.get(code) if connector is not None else None) or code)
            return
        outputs = made_up(job, self._company.instances[job.instance].executable, self._connectors, self._now())
        tally.done += 1
        self._company.succeed(job.id, outputs)
        self._done(job)

    def _error(self, job: Job) -> str | None:
        habits = self._profile.service(job.topic)
        failed_before = (job.instance, job.flow_node) in self._failed
        shares = habits.again if failed_before and habits.again is not None else habits.errors
        left = self._chance.random()
        for code, share in shares.items():
            if left < share:
                return code
            left -= share
        return None
