"""Records the golden states: `python -m tests.golden.record`. They stay as they are; a new state version records new ones.

Each file holds a stored state of the definition in this folder, what is open in it, and how it goes on. A state in somebody's
database was stored by an older program, so it must load and go on in every later one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from engine.execution.executable import Executable
from engine.execution.state import STATE_VERSION
from engine.services.deploying import read_files
from tests.builders.play import Play
from tests.golden.definition import FOLDER, golden_definition

BILL = {
    "customer_name": "Acme",
    "email": "billing@acme.example",
    "stripe_customer_id": "cus_acme",
    "currency": "USD",
    "billing_month": "2026-10",
}
PROCESSES = Path(__file__).parents[2] / "processes"


def _begun() -> Play:
    return Play(Executable(golden_definition())).start("start_by_hand", **BILL)


def _entered(play: Play) -> Play:
    return play.complete("enter_amount", by="sara", billing_amount=12_050, billing_details="Consulting 💶\nTravel")


def _sent_back() -> Play:
    return _entered(_begun()).complete("approve", by="mia", approval="send_back", return_comment="Too high.")


def _charging() -> Play:
    return _entered(_sent_back()).complete("approve", by="mia", approval="approve")


def _declined() -> Play:
    return _charging().fail("charge", "card_declined", "The card was declined.")


def _charging_again() -> Play:
    return _declined().complete("contact_customer", by="tom", contact_result="retry")


STATES = {
    "entering": _begun,
    "sent-back": _sent_back,
    "charging": _charging,
    "card-declined": _declined,
    "charging-again": _charging_again,
}


def _recorded(play: Play) -> dict[str, Any]:
    assert play.stored is not None
    return {"state": json.loads(play.stored), "open": {str(token): node for token, node in play.open.items()}}


def main() -> None:
    """Write the definition without its drawing, and a file for each state."""
    for name, content in read_files(PROCESSES / "monthly-card-charge.bpmn").items():
        if "/" not in name:
            without_drawing = re.sub(rb"\s*<bpmndi:BPMNDiagram.*</bpmndi:BPMNDiagram>", b"", content, flags=re.DOTALL)
            (FOLDER / name).write_bytes(without_drawing)
    for name, play in STATES.items():
        path = FOLDER / f"v{STATE_VERSION}-{name}.json"
        path.write_text(json.dumps(_recorded(play())) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
