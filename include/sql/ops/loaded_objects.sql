select distinct on (object_key)
    object_key,
    object_etag
from ops.loads
where
    source = $1
    and stream = $2
    and object_key is not null
order by object_key, object_modified_at desc, load_id desc
