-- A table as operational databases have them: exact numbers, nulls, times, quotes, line breaks, nested JSON.
create table {table} (
    id bigint not null,
    customer_id integer not null,
    store_id smallint,
    amount numeric(12, 2) not null,
    discount numeric(10, 4),
    is_gift boolean not null,
    ordered_at timestamptz not null,
    delivered_on date,
    status text not null,
    note text,
    payload jsonb not null
)
