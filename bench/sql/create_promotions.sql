-- Which product was promoted in which shop and week: short rows, very many of them.
create table {table} (
    product_id bigint not null,
    store_id bigint not null,
    display_location text not null,
    mailer_location text not null,
    week integer not null
)
