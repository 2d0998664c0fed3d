insert into ops.publication_loads (publication_id, load_id)
select
    $1,
    load_id
from ops.plan_loads
where domain = $2
