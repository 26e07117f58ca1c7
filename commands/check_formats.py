"""What `check` prints: text for people, JSON for programs, SARIF for code review tools."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from commands.output import counted, print_json, readable, say
from engine.definition.check.rule_text import RuleText, rule_texts
from engine.definition.finding import Finding, Severity

if TYPE_CHECKING:
    from engine.definition.check import Examination, Silenced

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_LONGEST_LINE = 120
_NARROWEST = 40
_NOT_SHOWN = "secret-in-diagram"  # its line stays out of what is printed, and so logged
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# --- text -----------------------------------------------------------------------------------------------------------


def print_text(found: Examination, sources: Mapping[str, bytes]) -> None:
    """Findings by file, each with its place, its line and its remedy; a summary on stderr. Nothing where nothing was found."""
    blocks = groupby(found.findings, key=lambda each: each.position.file)
    secret = {(each.position.file, each.position.line) for each in found.findings if each.rule == _NOT_SHOWN}
    for block, (file, findings) in enumerate(blocks):
        if block:
            click.echo()
        lines = sources.get(file, b"").decode("utf-8", errors="replace").splitlines()
        for finding in findings:
            click.echo(_headline(finding))
            number = finding.position.line
            if number <= len(lines) and (file, number) not in secret:
                click.echo(f"    {click.style(readable(_shortened(lines[number - 1].strip())), dim=True)}")
            for text in _sentences(finding):
                click.echo(_folded(text))
    if found.findings or found.silenced:
        say(_summary(found))


def _headline(finding: Finding) -> str:
    severity = click.style(str(finding.severity), fg=_COLOURS[finding.severity], bold=True)
    place = click.style(readable(finding.position), bold=True)
    return f"{place}: {severity}: {finding.rule}{readable(_named(finding))}"


def _named(finding: Finding) -> str:
    if finding.element is None:
        return ""
    name = " ".join((finding.element_name or "").split())
    return f": {name} [{finding.element}]" if name and name != finding.element else f": [{finding.element}]"


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _folded(text: str) -> str:
    """A paragraph under a finding: to the width of a terminal; in a pipe one line, so that grep finds what belongs together."""
    if not sys.stdout.isatty():
        return f"    {text}"
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    return textwrap.fill(text, width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _sentences(finding: Finding) -> Iterator[str]:
    what, do, remedy = readable(finding.message).partition(" Do: ")
    yield what
    if do:
        yield f"Do: {remedy}"


def _summary(found: Examination) -> str:
    counts = Counter(finding.severity for finding in found.findings)
    told = ", ".join(counted(counts[severity], str(severity)) for severity in Severity if counts[severity])
    files = len({finding.position.file for finding in found.findings})
    where = f" in {counted(files, 'file')}" if files else "Nothing found"
    return f"{told}{where}{f'; {len(found.silenced)} silenced' if found.silenced else ''}."


# --- JSON -----------------------------------------------------------------------------------------------------------


def print_finding_list(findings: Iterable[Finding]) -> None:
    """What `--json` prints: the findings alone."""
    print_json([_finding(finding) for finding in findings])


def print_report(found: Examination) -> None:
    """What `--format json` prints: findings, what is silenced, and how many there are of each."""
    counts = Counter(finding.severity for finding in found.findings)
    print_json(
        {
            "findings": [_finding(finding) for finding in found.findings],
            "silenced": [{**_finding(each.finding), "reason": each.reason} for each in found.silenced],
            "errors": counts[Severity.ERROR],
            "warnings": counts[Severity.WARNING],
            "notes": counts[Severity.NOTE],
        }
    )


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "file": finding.position.file,
        "line": finding.position.line,
        "column": finding.position.column,
        "element": finding.element,
        "element_name": finding.element_name,
        "message": finding.message,
    }


# --- SARIF ----------------------------------------------------------------------------------------------------------


def print_sarif(found: Examination) -> None:
    """SARIF 2.1.0, with every rule that there is: what is silenced is in it too, marked as suppressed in the source."""
    rules = rule_texts()
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    results = [_result(finding, numbers) for finding in found.findings]
    results += [_suppressed(each, numbers) for each in found.silenced]
    driver = {"name": "run-process", "version": _version(), "rules": [_rule(rule) for rule in rules]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    print_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("run-process")
    except PackageNotFoundError:  # a checkout that isn't installed
        return "0"


def _rule(rule: RuleText) -> dict[str, Any]:
    text = f"{rule.what} {rule.why}".strip()
    help_text = f"Wrong: {rule.wrong}\nRight: {rule.right}"
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": text},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": str(rule.severities[0])},
    }


def _result(finding: Finding, numbers: Mapping[str, int]) -> dict[str, Any]:
    region = {"startLine": finding.position.line}
    if finding.position.column:
        region["startColumn"] = finding.position.column
    physical = {"artifactLocation": {"uri": quote(finding.position.file)}, "region": region}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.element:
        logical = {"name": finding.element_name or finding.element, "fullyQualifiedName": finding.element, "kind": "element"}
        location["logicalLocations"] = [logical]
    return {
        "ruleId": finding.rule,
        "ruleIndex": numbers[finding.rule],
        "level": str(finding.severity),
        "message": {"text": finding.message},
        "locations": [location],
    }


def _suppressed(each: Silenced, numbers: Mapping[str, int]) -> dict[str, Any]:
    suppression = {"kind": "inSource", "justification": each.reason}
    return {**_result(each.finding, numbers), "suppressions": [suppression]}
