{column}::timestamptz <@ (
    select range_agg(tstzrange(slice_start, slice_end))
    from ops.planned_slices
    where
        domain = {domain}
        and source = {source}
        and stream = {stream}
)
