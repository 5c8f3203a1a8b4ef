"""Extract, transform and load: from a file of orders into a database, where no step is left out and none done twice."""

import sqlite3
from contextlib import closing, contextmanager

from redun import File, Handle, merge_handles, task

redun_namespace = "etl"


class Database(Handle):
    """A SQLite database. What is stored of it is its name and its path; whoever writes connects by itself."""

    def __init__(self, name: str, path: str):
        self.path = path

    @contextmanager
    def transaction(self):
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            yield connection


@task()
def extract(orders: File) -> list:
    rows = [line.split(",") for line in orders.readlines()]
    return [(customer, item.strip(), int(count)) for customer, item, count in rows]


@task()
def make_tables(db: Database) -> Database:
    with db.transaction() as connection:
        connection.execute("create table if not exists by_customer (customer text primary key, count integer)")
        connection.execute("create table if not exists by_item (item text primary key, count integer)")
        connection.execute("create table if not exists report (line text primary key)")
    return db


@task()
def load_customers(db: Database, rows: list) -> Database:
    totals: dict[str, int] = {}
    for customer, _, count in rows:
        totals[customer] = totals.get(customer, 0) + count
    with db.transaction() as connection:
        connection.execute("delete from by_customer")
        connection.executemany("insert into by_customer values (?, ?)", totals.items())
    return db


@task()
def load_items(db: Database, rows: list) -> Database:
    totals: dict[str, int] = {}
    for _, item, count in rows:
        totals[item] = totals.get(item, 0) + count
    with db.transaction() as connection:
        connection.execute("delete from by_item")
        connection.executemany("insert into by_item values (?, ?)", totals.items())
    return db


@task()
def write_report(db: Database) -> Database:
    with db.transaction() as connection:
        connection.execute("delete from report")
        connection.execute("insert into report select customer || ': ' || count from by_customer")
        connection.execute("insert into report select item || ': ' || count from by_item")
    return db


@task()
def show(db: Database) -> list:
    with db.transaction() as connection:
        return [line for (line,) in connection.execute("select line from report order by line")]


@task()
def main(orders: File = File("orders.csv"), path: str = "shop.db") -> list:
    rows = extract(orders)
    db = make_tables(Database("shop", path))
    customers = load_customers(db, rows)
    items = load_items(db, rows)
    return show(write_report(merge_handles([customers, items])))
