"""Deploying: the same content is the same version, and a version never changes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from engine.errors import DefinitionInvalid, DefinitionNotDeployed
from engine.services import deploying
from engine.services.runtime import Runtime
from engine.store import deployments
from engine.store.tables import deployment_files
from tests.builders.company import CardCompany, Company, definition

OTHER = definition(items={"note": "{type: text, carry: drop}"})


def test_the_same_content_is_the_same_version_and_other_content_the_next(company: Company) -> None:
    again = deploying.deploy(company.runtime, definition(), "bob")
    assert (again.created, again.deployment.version, again.deployment.deployed_by) == (False, 1, "ada")
    other = deploying.deploy(company.runtime, OTHER, "bob")
    assert (other.created, other.deployment.version) == (True, 2)
    assert [each.version for each in deploying.definitions(company.runtime)] == [2, 1]


def test_an_older_content_becomes_the_newest_version_when_it_is_deployed_again(company: Company) -> None:
    company.deploy(OTHER)
    back = deploying.deploy(company.runtime, definition(), "ada")
    assert (back.created, back.deployment.version) == (True, 3)
    first, third = (version for version in deploying.definitions(company.runtime) if version.version in (1, 3))
    assert first.digest == third.digest
    with company.runtime.database.reading() as connection:
        stored = connection.execute(
            select(func.count()).select_from(deployment_files).where(deployment_files.c.digest == first.digest)
        )
        assert stored.scalar_one() == len(definition())


def test_a_version_is_stored_byte_by_byte(company: Company) -> None:
    with company.runtime.database.reading() as connection:
        deployment = company.runtime.deployment(connection, "billing")
        assert deployments.files_of(connection, deployment.digest) == definition()


def test_one_more_space_is_another_version(company: Company) -> None:
    changed = {name: content + b" \n" if name.endswith(".bpmn") else content for name, content in definition().items()}
    assert company.deploy(changed) == 2


def test_what_has_errors_is_refused_with_all_of_them_and_stored_nowhere(company: Company) -> None:
    wrong = definition(ways={"yes": "decision -> charge", "stop": "decision -> stopped if ${amuont == 0}"})
    with pytest.raises(DefinitionInvalid, match=r"but there are 2 errors\. Do: mend each and deploy again") as refused:
        company.deploy(wrong)
    assert {finding.rule for finding in refused.value.findings} >= {"gateway-condition-missing", "unknown-data-item"}
    assert len(deploying.definitions(company.runtime)) == 1


def test_an_unknown_version_is_refused(company: Company) -> None:
    with company.runtime.database.reading() as connection, pytest.raises(DefinitionNotDeployed, match="'billing@9'"):
        company.runtime.definition(connection, "billing", 9)


def test_deploying_the_same_at_once_makes_one_version(company: Company) -> None:
    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(lambda _: deploying.deploy(company.runtime, OTHER, "ada"), range(6)))
    assert {each.deployment.version for each in versions} == {2}
    assert [each.created for each in versions].count(True) == 1


def test_the_shipped_process_is_deployed_with_its_mail(card_company: CardCompany, runtime_with: Callable[..., Runtime]) -> None:
    runtime = runtime_with()
    with runtime.database.reading() as connection:
        definition = runtime.definition(connection, card_company.process, 1)
    assert {"mail/charged.txt", "mail/charge_failed.txt"} <= definition.resources.keys()
