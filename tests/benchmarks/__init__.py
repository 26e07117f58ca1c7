"""What the engine costs: `python -m tests.benchmarks [NAME ...] [--quick]` prints tables with the machine's description.

Figures, never verdicts: nothing here passes or fails by a time. CPU seconds are of this process and, on PostgreSQL, of the
server's processes; wall seconds are what a bystander would see, on a machine that may have other things to do.
"""
