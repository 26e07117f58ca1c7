"""The store: what is kept, in SQLite or PostgreSQL, through SQLAlchemy Core. Each module holds one table's questions.

Statements that every step of an instance needs are constants: building one takes longer than SQLite takes to carry it out. In
those that change rows, a parameter named like a column sets it, and any other chooses the rows.
"""
