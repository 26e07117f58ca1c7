"""Each benchmark runs, with tiny sizes. What it measures is for people to read; no figure is judged here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.bench import Bench, Size
from tests.builders.postgresql import PostgreSql


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_gives_its_figures(name: str, tmp_path: Path, postgresql: PostgreSql | str) -> None:
    bench = Bench(Size.TINY, tmp_path, postgresql, lambda progress: None)
    try:
        tables = list(BENCHMARKS[name](bench))
    finally:
        bench.close()
    assert tables
    for table in tables:
        assert table.title in table.text()
        assert all(len(row) == len(table.columns) for row in table.rows)
