-- A load that shares time with a slice, but goes beyond it; loads of files know their rows by the file.
select
    slice_start,
    slice_end
from ops.loads
where
    source = $1
    and stream = $2
    and object_key is null
    and slice_start < $4::timestamptz
    and slice_end > $3::timestamptz
    and not (slice_start >= $3::timestamptz and slice_end <= $4::timestamptz)
order by load_id
limit 1
