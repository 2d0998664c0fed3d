-- The load of rows that name the attempt which brought them.
update {table} as target
set _load_id = found.load_id
from (
    select
        substring(manifest_key from '/attempt=([^/]+)/') as attempt,
        max(load_id) as load_id
    from ops.loads
    where
        source = $1
        and stream = $2
    group by attempt
) as found
where found.attempt = target._manifest
