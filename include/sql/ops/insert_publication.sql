insert into ops.publications (domain, tables, dag_id, run_id, try_number)
values ($1, $2::text::jsonb, $3, $4, $5::bigint)
returning publication_id
