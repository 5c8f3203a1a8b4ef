"""Extract, transform and load: from a file of orders into a database, which only ever sees the steps it lacks."""

import sqlite3

from redun import File, Handle, merge_handles, task

redun_namespace = "etl"


class Database(Handle):
    """A SQLite database. What is stored of it is its name and its path; each process connects by itself."""

    def __init__(self, name: str, path: str):
        self.instance = sqlite3.connect(path, timeout=10, check_same_thread=False)


@task()
def extract(orders: File) -> list:
    rows = [line.split(",") for line in orders.readlines()]
    return [(customer, item.strip(), int(count)) for customer, item, count in rows]


@task()
def make_tables(db: Database) -> Database:
    db.executescript(
        """
        create table if not exists by_customer (customer text primary key, count integer);
        create table if not exists by_item (item text primary key, count integer);
        create table if not exists report (line text primary key);
        """
    )
    return db


@task()
def load_customers(db: Database, rows: list) -> Database:
    totals = {}
    for customer, _, count in rows:
        totals[customer] = totals.get(customer, 0) + count
    with db.instance:
        db.execute("delete from by_customer")
        db.executemany("insert into by_customer values (?, ?)", totals.items())
    return db


@task()
def load_items(db: Database, rows: list) -> Database:
    totals = {}
    for _, item, count in rows:
        totals[item] = totals.get(item, 0) + count
    with db.instance:
        db.execute("delete from by_item")
        db.executemany("insert into by_item values (?, ?)", totals.items())
    return db


@task()
def write_report(db: Database) -> Database:
    with db.instance:
        db.execute("delete from report")
        db.execute("insert into report select customer || ': ' || count from by_customer")
        db.execute("insert into report select item || ': ' || count from by_item")
    return db


@task()
def show(db: Database) -> list:
    return [line for (line,) in db.execute("select line from report order by line")]


@task()
def main(orders: File = File("orders.csv"), path: str = "shop.db") -> list:
    rows = extract(orders)
    db = make_tables(Database("shop", path))
    customers = load_customers(db, rows)
    items = load_items(db, rows)
    return show(write_report(merge_handles([customers, items])))
