"""Names that need quoting, and names in another case."""

from datastack.source.database import Scan, SourceColumn
from tests.integration.databases import mariadb
from tests.integration.databases.reading import read, values


def test_odd_names_and_unknown_columns(maria: mariadb.Server, maria_url: str, sqlite):
    names = ["id", "select", "with `tick` \"quote\" 'tock' [x]", "Mixed Case", "ü" * 31 + "x", "per%cent{brace}"]
    unknown = ["extra", "shape"]
    table = 'order `by` "x"'
    with maria.connect() as db:
        columns = ", ".join(f"`{name.replace('`', '``')}` varchar(20)" for name in names)
        quoted = "`" + table.replace("`", "``") + "`"
        db.execute(f"create or replace table {quoted} ({columns}, extra int, shape point)")
        db.execute(f"insert into {quoted} values ('a', 'b', 'c', 'd', 'e', 'f', 7, point(1, 2))")
    lite, url = sqlite
    columns = ", ".join('"' + name.replace('"', '""') + '" text' for name in names)
    quoted = '"' + table.replace('"', '""') + '"'
    lite.execute(f"create table {quoted} ({columns}, extra integer, shape)")
    lite.execute(f"insert into {quoted} values ('a', 'b', 'c', 'd', 'e', 'f', 7, x'00')")
    for kind, address, of in (("mysql", maria_url, f"Shop.{table}"), ("sqlite", url, table)):
        wanted = tuple(SourceColumn(name, "text") for name in names)
        (batch,) = read(kind, address, Scan(of, wanted, ("id",)))
        assert batch.schema.names == names + unknown
        assert [values([batch], name) for name in names] == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]


def test_a_column_may_differ_in_case(sqlite):
    db, url = sqlite
    db.execute("create table t (ID integer, Name text, NAME_2 text)")
    db.execute("insert into t values (1, 'a', 'b')")
    scan = Scan("t", (SourceColumn("id", "integer"), SourceColumn("name", "text")))
    (batch,) = read("sqlite", url, scan)
    assert batch.schema.names == ["id", "name", "NAME_2"]


def test_a_column_that_is_not_stored_is_not_read(sqlite):
    db, url = sqlite
    db.execute("create table u (id integer, Secret text, beyond text)")
    db.execute("insert into u values (1, 's', 'b')")
    scan = Scan("u", (SourceColumn("id", "integer"), SourceColumn("secret", "text", is_read=False)))
    (batch,) = read("sqlite", url, scan)
    assert batch.schema.names == ["id", "beyond"]
