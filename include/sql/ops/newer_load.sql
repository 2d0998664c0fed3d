-- A load of newer rows where those of another would go; one that covers its slice, if there is one.
-- Of the same version of a file, the rows that were conformed later are newer; of others, those that were delivered, or
-- else read, later.
select
    slice_start,
    slice_end
from ops.loads
where
    source = $1
    and stream = $2
    and replay_of is null
    and case
        when object_key = $5::text and object_etag = $6::text
            then coalesce(conformed_at, extracted_at) > $7::timestamptz
        else
            (
                coalesce(object_modified_at, extracted_at),
                coalesce(object_key, ''),
                extracted_at,
                coalesce(conformed_at, extracted_at)
            ) > ($3::timestamptz, coalesce($5::text, ''), $4::timestamptz, $7::timestamptz)
    end
    and {where}
order by slice_start <= $8::timestamptz and slice_end >= $9::timestamptz desc, load_id
limit 1
