-- Keys, indexes, statistics and grants, once the rows are there.

alter table public.households add primary key (household_id);
alter table public.products add primary key (product_id);
alter table public.transactions add primary key (basket_id, product_id);
create index transactions_transaction_at on public.transactions (transaction_at);
create index backlog_transaction_at on backlog.transactions (transaction_at);

analyze public.households;
analyze public.products;
analyze public.transactions;
analyze backlog.transactions;

grant usage on schema public to retail_reader;
grant select on all tables in schema public to retail_reader;
alter default privileges in schema public grant select on tables to retail_reader;
