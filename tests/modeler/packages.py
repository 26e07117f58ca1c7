"""What analysts draw with, from npm: kept in a cache outside the repository, because they are no part of the product."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

PACKAGES = ("@bpmn-io/element-templates-validator@2.26.0", "bpmn-moddle@10.3.1", "camunda-bpmn-moddle@8.0.1", "jsdom@29.1.1")
MODELER = "camunda-bpmn-js@5.35.0"  # Camunda Modeler's own canvas, in one file: what it depends on needn't be had
SCRIPTS = Path(__file__).parent
_PATIENCE = 240  # seconds


class NotHere(Exception):
    """What these tests need can't be had on this machine."""


def installed() -> Path:
    """The folder that holds the packages; the first call on a machine fetches them. Raises NotHere."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotHere(f"{program} isn't installed")
    if _version() < 20:
        raise NotHere("node is older than version 20")
    digest = sha256("".join((*PACKAGES, MODELER)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "run-process-tests"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"modeler-{digest}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test processes that start together: one fetches
            return _fetched(cache / f"modeler-{digest}")
    except subprocess.SubprocessError as error:
        raise NotHere("packages can't be had from npm") from error
    except OSError as error:
        raise NotHere(f"packages can't be kept in {cache}: {error}") from error


def _version() -> int:
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.strip().lstrip("v").partition(".")[0] or 0)


def _fetched(folder: Path) -> Path:
    if (folder / "package").is_dir():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}\n')
    _npm(folder, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES)
    _npm(folder, "pack", MODELER)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (folder / "unpacked" / "package").rename(folder / "package")  # last: a folder that has it is whole
    return folder


def _npm(folder: Path, *arguments: str) -> None:
    impatient = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000")  # no network: skip soon
    subprocess.run(["npm", *arguments, *impatient], cwd=folder, check=True, capture_output=True, timeout=_PATIENCE)


def run_script(script: str, packages: Path, **given: Any) -> Any:
    """What a script of this folder makes of JSON."""
    asked = json.dumps({"packages": str(packages), **given})
    done = subprocess.run(["node", SCRIPTS / script], input=asked, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


def saved(packages: Path, way: str, diagrams: Mapping[str, bytes]) -> dict[str, bytes | str]:
    """Diagrams as a modeler (`modeler`) or its library for files (`moddle`) has saved them, or, as text, why it can't."""
    texts = {name: content.decode("utf-8-sig") for name, content in diagrams.items()}
    answers = run_script("save.cjs", packages, way=way, diagrams=texts)
    return {name: each["xml"].encode() if "xml" in each else each["refused"] for name, each in answers.items()}
