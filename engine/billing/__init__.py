"""Who is to be billed for a period, and what became of it: pure functions on frozen records."""
