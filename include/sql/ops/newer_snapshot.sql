select load_id
from ops.loads
where
    source = $1
    and stream = $2
    and write_disposition = 'replace'
    and (extracted_at, manifest_key) > ($3::timestamptz, $4::text)
order by load_id
limit 1
