"""Runs a proof in a process of its own, which stays without threads so that it may fork."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


def begin(proof: str, folder: Path, **options: object) -> subprocess.Popen[str]:
    """Start `python -m tests.proofs.PROOF --folder FOLDER` with more options."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"tests.proofs.{proof}", "--folder", str(folder)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=log, text=True)


def figures(proof: subprocess.Popen[str], patience: float) -> dict[str, Any]:
    """What it has found when it ends. After `patience` seconds it is ended, and with it all that it started."""
    try:
        found, _ = proof.communicate(timeout=patience)
    finally:
        proof.kill()
        proof.wait()
    assert proof.returncode == 0, f"the proof ended with {proof.returncode}; see log.txt in its folder"
    return dict(json.loads(found.splitlines()[-1]))  # before it, workers log
