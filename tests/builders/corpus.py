"""Diagrams that others drew, beside the repository or where `RUN_PROCESS_CORPUS` says. They are not part of the product."""

from __future__ import annotations

import os
from pathlib import Path

CORPUS = Path(os.environ.get("RUN_PROCESS_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
WITHOUT = f"the corpus of other people's diagrams is not at {CORPUS}; RUN_PROCESS_CORPUS names another place"
