"""The dialects of servers: MySQL and MariaDB, SQL Server, Oracle, Trino, BigQuery."""

from typing import ClassVar

from datastack.source.bounds import Kind
from datastack.source.dialects import Dialect, Rule


class MySql(Dialect):
    """MySQL and MariaDB. The session's zone is UTC, so that `timestamp` values are moments in UTC.

    Dates come as text because of zero dates, enums compare as their labels (they sort by their numbers).
    """

    kind = "mysql"
    quotes = "``"
    text = "cast({c} as char)"
    own_schema = "database()"
    session = ("set time_zone = '+00:00'",)
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"(decimal|numeric|year).*", Kind.NUMBER, text),
        Rule(r"(tinyint|smallint|mediumint|int|bigint|float|double).*", Kind.NUMBER),
        Rule(r"bit.*", Kind.NUMBER, "cast({c} + 0 as char)"),
        Rule(r"date", Kind.DATE, text),
        Rule(r"datetime.*", Kind.DATETIME, text),
        Rule(r"timestamp.*", Kind.INSTANT, text),
        Rule(r"(char|varchar).*|(tiny|medium|long)?text", Kind.TEXT),
        Rule(r"(binary|varbinary).*|(tiny|medium|long)?blob", Kind.BYTES),
        Rule(r"(geometry|geom|multi)\w*|point|linestring|polygon", Kind.BYTES, "st_aswkb({c})"),
        Rule(r"(enum|set)\(.*", Kind.TEXT, text, compare=text),
    )
    other = Rule("", Kind.TEXT, text)

    def literal(self, kind: Kind, value: str) -> str:
        """Write text in hexadecimal: whether a backslash escapes depends on the server's mode."""
        if kind is Kind.TEXT:
            return f"_utf8mb4 x'{value.encode().hex()}'"
        return super().literal(kind, value)


class SqlServer(Dialect):
    """Microsoft SQL Server. Times are cut to microseconds; money has its four decimals."""

    kind = "mssql"
    quotes = "[]"
    text = "convert(nvarchar(4000), {c})"
    hexadecimal = "convert(varchar(max), {c}, 2)"
    count = "count_big(*) over ()"
    nth = "{n} % {rows} = 0"
    own_schema = "schema_name()"
    _TIME = "left(convert(varchar(33), {c}, 126), 26)"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"tinyint|smallint|int|bigint|real|float", Kind.NUMBER),
        Rule(r"bit", Kind.NUMBER),
        Rule(r"decimal|numeric", Kind.NUMBER, "convert(varchar(60), {c})"),
        Rule(r"money|smallmoney", Kind.NUMBER, "convert(varchar(60), {c}, 2)"),
        Rule(r"date", Kind.DATE, "convert(varchar(10), {c}, 23)"),
        Rule(r"datetime|datetime2|smalldatetime", Kind.DATETIME, _TIME),
        Rule(r"datetimeoffset", Kind.INSTANT, _TIME.format(c="cast(switchoffset({c}, '+00:00') as datetime2(7))")),
        Rule(r"binary|varbinary|image", Kind.BYTES, "cast({c} as varbinary(max))"),
        Rule(r"timestamp|rowversion", Kind.BYTES, "cast({c} as binary(8))"),
        Rule(r"uniqueidentifier", Kind.TEXT, "lower(convert(varchar(36), {c}))"),
        Rule(r"hierarchyid", Kind.TEXT, "{c}.ToString()"),
        Rule(r"geometry|geography", Kind.BYTES, "{c}.STAsBinary()"),
        # Compared as varchar: a national literal would make the column national, which may order differently.
        Rule(r"char|varchar", Kind.TEXT, "cast({c} as nvarchar(max))", literal="cast({l} as varchar(8000))"),
    )
    other = Rule("", Kind.TEXT, "cast({c} as nvarchar(max))")

    def literal(self, kind: Kind, value: str) -> str:
        """Write literals with the types they are compared as."""
        plain = super().literal(kind, value)
        match kind:
            case Kind.TEXT:
                return f"N{plain}"
            case Kind.BYTES:
                return f"0x{bytes.fromhex(value).hex()}"
            case Kind.DATE:
                return f"cast({plain} as date)"
            case Kind.DATETIME:
                return f"cast({plain.replace(' ', 'T')} as datetime2(6))"
            case Kind.INSTANT:
                return f"cast('{value.replace(' ', 'T')}+00:00' as datetimeoffset(6))"
        return plain


class Ansi(Dialect):
    """What writes dates and times as the SQL standard does."""

    def literal(self, kind: Kind, value: str) -> str:
        """Write literals with their types."""
        plain = super().literal(kind, value)
        match kind:
            case Kind.DATE:
                return f"date {plain}"
            case Kind.DATETIME:
                return f"timestamp '{value.replace('T', ' ')}'"
            case Kind.INSTANT:
                return f"timestamp '{value.replace('T', ' ')} +00:00'"
        return plain


class Oracle(Ansi):
    """Oracle. Names in lower case are folded to upper case, as Oracle does without quotes; others are taken as is.

    Numbers come as text with all their digits. An empty string is null in the database itself.
    """

    kind = "oracle"
    text = "to_char({c}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
    hexadecimal = "rawtohex({c})"
    count = "cast(count(*) over () as number(18, 0))"
    own_schema = "sys_context('userenv', 'current_schema')"
    _TIME = """to_char({c}, 'YYYY-MM-DD"T"HH24:MI:SS.FF6')"""
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"number|float|integer", Kind.NUMBER, text),
        Rule(r"binary_(float|double)", Kind.NUMBER),
        Rule(r"date", Kind.DATETIME, _TIME.format(c="cast({c} as timestamp(0))")),
        Rule(r"timestamp\(\d\)", Kind.DATETIME, _TIME),
        Rule(r"timestamp\(\d\) with( local)? time zone", Kind.INSTANT, _TIME.format(c="sys_extract_utc({c})")),
        Rule(r"n?varchar2|n?char", Kind.TEXT),
        Rule(r"clob|long", Kind.TEXT),
        Rule(r"nclob", Kind.TEXT, "to_clob({c})"),
        Rule(r"raw", Kind.BYTES, "to_blob({c})"),
        Rule(r"blob", Kind.BYTES),
        Rule(r"json", Kind.TEXT, "json_serialize({c} returning clob)"),
        Rule(r"xmltype", Kind.TEXT, "xmlserialize(content {c} as clob)"),
        Rule(r"u?rowid", Kind.TEXT, "rowidtochar({c})"),
    )
    other = Rule("", Kind.TEXT, "to_char({c})")

    def path(self, table: str) -> list[str]:
        """Fold names as Oracle does."""
        return [part.upper() if part == part.lower() else part for part in table.split(".")]

    def literal(self, kind: Kind, value: str) -> str:
        """Write bytes by a function: Oracle has no literals for them."""
        return f"hextoraw('{bytes.fromhex(value).hex()}')" if kind is Kind.BYTES else super().literal(kind, value)


class Trino(Ansi):
    """Trino. Times are cut to microseconds; rows, maps and arrays come as JSON."""

    kind = "trino"
    text = "cast({c} as varchar)"
    hexadecimal = "to_hex({c})"
    _TIME = "substr(cast({c} as varchar), 1, 26)"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"tinyint|smallint|integer|bigint|boolean", Kind.NUMBER),
        Rule(r"(decimal|number).*|real|double", Kind.NUMBER, text),
        Rule(r"date", Kind.DATE, text),
        Rule(r"timestamp(\(\d+\))?", Kind.DATETIME, _TIME),
        Rule(
            r"timestamp(\(\d+\))? with time zone",
            Kind.INSTANT,
            _TIME.format(c="cast({c} at time zone 'UTC' as timestamp(12))"),
        ),
        Rule(r"varbinary", Kind.BYTES, "to_hex({c})", is_hex=True),
        Rule(r"(row|map|array)\(.*", Kind.TEXT, "json_format(cast({c} as json))"),
        Rule(r"json", Kind.TEXT, "json_format({c})"),
    )
    other = Rule("", Kind.TEXT, text)

    def literal(self, kind: Kind, value: str) -> str:
        """Write text by its bytes: ConnectorX writes statements anew, and loses a quote after a backslash."""
        return f"from_utf8(x'{value.encode().hex()}')" if kind is Kind.TEXT else super().literal(kind, value)


class BigQuery(Ansi):
    """BigQuery. Structs and arrays come as JSON."""

    kind = "bigquery"
    quotes = "``"
    text = "cast({c} as string)"
    hexadecimal = "to_hex({c})"
    _TIME = "'%Y-%m-%dT%H:%M:%E6S'"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"int64|bool|boolean", Kind.NUMBER),
        Rule(r"(big)?numeric.*|float64", Kind.NUMBER, text),
        Rule(r"date", Kind.DATE, text),
        Rule(r"datetime", Kind.DATETIME, f"format_datetime({_TIME}, {{c}})"),
        Rule(r"timestamp", Kind.INSTANT, f"format_timestamp({_TIME}, {{c}}, 'UTC')"),
        Rule(r"string.*", Kind.TEXT),
        Rule(r"bytes.*", Kind.BYTES, "to_hex({c})", is_hex=True),
        Rule(r"(struct|array)<.*|json", Kind.TEXT, "to_json_string({c})"),
        Rule(r"geography", Kind.BYTES, "to_hex(st_asbinary({c}))", is_hex=True),
    )
    other = Rule("", Kind.TEXT, text)

    def quote(self, name: str) -> str:
        """Quote an identifier, whose escapes are those of a string."""
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def literal(self, kind: Kind, value: str) -> str:
        """Write text by its bytes, free of escapes, and what is a datetime by that name."""
        match kind:
            case Kind.TEXT:
                return f"safe_convert_bytes_to_string(from_hex('{value.encode().hex()}'))"
            case Kind.BYTES:
                return f"from_hex('{bytes.fromhex(value).hex()}')"
            case Kind.DATETIME:
                return f"datetime '{value}'"
        return super().literal(kind, value)
