select
    quarantine_id,
    part_key,
    rows,
    load_id,
    slice_start,
    slice_end,
    extracted_at,
    contract_version,
    object_key,
    object_etag,
    object_modified_at,
    object_bytes
from ops.open_quarantine
where
    source = $1
    and stream = $2
order by quarantine_id
