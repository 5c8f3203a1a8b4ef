"""Extract, transform, load: a database that steps change, each remembered by what led to it."""

import csv
import os

import psycopg

from redun import File, Handle, task

redun_namespace = "etl"


class Shop(Handle):
    """A PostgreSQL database, whose address is in the environment, not in what is recorded."""

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(os.environ["SHOP_DB"])


@task()
def extract(source: File) -> list[tuple[str, float]]:
    with source.open() as stream:
        return [(item, float(price)) for item, price in csv.reader(stream)]


@task()
def load(shop: Shop, rows: list[tuple[str, float]]) -> Shop:
    with shop.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS net")
        cursor.execute("CREATE TABLE net (item text, price numeric)")
        cursor.executemany("INSERT INTO net VALUES (%s, %s)", rows)
    return shop


@task()
def add_tax(shop: Shop, percent: int) -> Shop:
    with shop.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS gross")
        connection.execute("CREATE TABLE gross (item text, price numeric)")
        connection.execute("INSERT INTO gross SELECT item, price * (100 + %s) / 100 FROM net", [percent])
    return shop


@task()
def read(shop: Shop) -> list[tuple[str, float]]:
    with shop.connect() as connection:
        found = connection.execute("SELECT item, price FROM gross ORDER BY item").fetchall()
    return [(item, float(price)) for item, price in found]


@task()
def main(source: str = "prices.csv", percent: int = 20) -> list[tuple[str, float]]:
    loaded = load(Shop("shop"), extract(File(source)))
    return read(add_tax(loaded, percent))
