"""States that were stored in the middle of a month go on in this version as they would have in the one that stored them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.execution.executable import Executable
from engine.execution.state import STATE_VERSION, load_state
from tests.builders.play import Play
from tests.golden.definition import FOLDER, golden_definition

GOLDEN = sorted(FOLDER.glob("v*.json"))
CHARGED = {"payment_intent": "pi_1", "charged_at": "2026-10-01T09:30:00+00:00"}


def restored(path: Path) -> Play:
    recorded = json.loads(path.read_text(encoding="ascii"))
    play = Play(Executable(golden_definition()))
    play.stored = json.dumps(recorded["state"], separators=(",", ":"))
    play.open = {int(token): node for token, node in recorded["open"].items()}
    return play


def enter(play: Play) -> None:
    play.complete("enter_amount", by="tom", billing_amount=12_050, billing_details="Consulting")
    play.complete("approve", by="mia", approval="approve")


def charge(play: Play) -> None:
    play.done("charge", **CHARGED)


def contact(play: Play) -> None:
    play.complete("contact_customer", by="tom", contact_result="retry")


STEPS: dict[str, list[Callable[[Play], None]]] = {
    "entering": [enter, charge],
    "sent-back": [enter, charge],
    "charging": [charge],
    "card-declined": [contact, charge],
    "charging-again": [charge],
}


def test_there_are_golden_states_of_the_version_that_is_stored_now() -> None:
    assert {path.stem for path in GOLDEN} >= {f"v{STATE_VERSION}-{name}" for name in STEPS}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_stored_state_loads_and_goes_on_to_the_hand_over(path: Path) -> None:
    play = restored(path)
    assert load_state(play.stored or "").data["customer_name"] == "Acme"
    for step in STEPS[path.stem.partition("-")[2]]:
        step(play)
    assert play.waiting == ["notify"]
    play.done("notify", message_id="<1@here>")
    assert play.end_events == ("done",)
    [message] = play.thrown
    assert (message.data["charge_id"], message.data["billing_amount"]) == ("pi_1", 12_050)


def test_a_stored_state_can_still_be_sent_back_and_its_new_task_is_a_new_one() -> None:
    play = restored(FOLDER / f"v{STATE_VERSION}-sent-back.json")
    before = play.token("enter_amount")
    play.complete("enter_amount", by="sara", billing_amount=1, billing_details="x")
    play.complete("approve", by="mia", approval="send_back", return_comment="No.")
    assert play.waiting == ["enter_amount"]
    assert play.token("enter_amount") > before
    assert play.state.people == {"enter_amount": ("sara", "sara"), "approve": ("mia", "mia")}


@pytest.mark.parametrize(
    ("code", "goes_to"), [("card_declined", "contact_customer"), ("authentication_required", "ask_to_authenticate")]
)
def test_a_stored_job_s_boundary_events_still_catch(code: str, goes_to: str) -> None:
    play = restored(FOLDER / f"v{STATE_VERSION}-charging-again.json").fail("charge", code, "The card was declined.")
    assert play.waiting == [goes_to]
