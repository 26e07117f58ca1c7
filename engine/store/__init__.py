"""The store: what is kept, in SQLite or PostgreSQL, through SQLAlchemy Core. Each module holds one table's questions."""
