"""Checks process definitions before they are deployed: a diagram runs as BPMN 2.0 says, or it is refused by name.

The rules stand in rules.py, each with its documentation; examination.py applies them to a set of files.
"""

from __future__ import annotations

from engine.definition.check.examination import Examination, check, examine
from engine.definition.check.rules import RULES
from engine.definition.check.service_tasks import ChecksParameters
from engine.definition.check.silencing import Silenced
from engine.definition.check.subject import Rule, Subject, verdict

__all__ = ["RULES", "ChecksParameters", "Examination", "Rule", "Silenced", "Subject", "check", "examine", "verdict"]
