-- Streams of a domain of which a load that is neither planned nor published has passed no gate yet: the loads, and
-- the DAG and run of the newest one. Of each stream of the domain, some load is planned or published.
with held as (
    select load_id
    from ops.plan_loads
    where domain = $1
    union all
    select published.load_id
    from ops.publication_loads as published
    inner join ops.publications as publications using (publication_id)
    where
        publications.domain = $1
        and publications.rolled_back_at is null
)

select
    loads.source,
    loads.stream,
    array_agg(loads.load_id order by loads.load_id) as load_ids,
    (array_agg(loads.dag_id order by loads.load_id desc))[1] as dag_id,
    (array_agg(loads.run_id order by loads.load_id desc))[1] as run_id
from ops.ungated_loads as loads
where
    not exists (
        select 1
        from held
        where held.load_id = loads.load_id
    )
    and exists (
        select 1
        from held
        inner join ops.loads as known using (load_id)
        where
            known.source = loads.source
            and known.stream = loads.stream
    )
group by loads.source, loads.stream
order by loads.source, loads.stream
