select load_id
from ops.loads
where
    source = $1
    and stream = $2
    and write_disposition = 'replace'
    and extracted_at > $3
order by load_id
limit 1
