-- A load that was read later and shares time with a slice; one that covers all of it, if there is one.
select
    slice_start,
    slice_end
from ops.loads
where
    source = $1
    and stream = $2
    and (extracted_at, manifest_key) > ($3::timestamptz, $4::text)
    and slice_start < $6::timestamptz
    and slice_end > $5::timestamptz
order by slice_start <= $5::timestamptz and slice_end >= $6::timestamptz desc, load_id
limit 1
