-- Contracts are those of the last load that the publication holds of each stream.
insert into ops.publications (
    publication_id,
    domain,
    tables,
    dag_id,
    run_id,
    try_number,
    whole,
    models,
    dbt_version,
    project_version,
    kept,
    contract_versions
)
overriding system value
select
    $1,
    $2,
    $3::text::jsonb,
    $4,
    $5,
    $6::bigint,
    $7,
    $8::text::jsonb,
    $9,
    $10,
    $11,
    coalesce(jsonb_object_agg(held.source || '.' || held.stream, held.contract_version), jsonb_build_object())
from (
    select distinct on (loads.source, loads.stream)
        loads.source,
        loads.stream,
        loads.contract_version
    from ops.loads as loads
    where
        loads.load_id in (select load_id from ops.plan_loads where domain = $2)
        or loads.load_id in (select load_id from ops.published_loads where domain = $2)
    order by loads.source, loads.stream, loads.load_id desc
) as held
