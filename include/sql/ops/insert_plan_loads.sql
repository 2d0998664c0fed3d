insert into ops.plan_loads (domain, load_id)
select
    $1,
    loads.load_id
from unnest($2::bigint []) as loads (load_id)
