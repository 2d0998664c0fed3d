-- Rows of each slice that was loaded after load $3, as its newest loads say, and the median of the slices of the same
-- length in the time $4 before it.
with newest as (
    select distinct on (slice_start, slice_end, object_key)
        load_id,
        slice_start,
        slice_end,
        loaded_rows
    from ops.loads
    where source = $1 and stream = $2 and replay_of is null and not superseded
    order by slice_start, slice_end, object_key, load_id desc
),

slices as (
    select
        slice_start,
        slice_end,
        array_agg(load_id) as load_ids,
        sum(loaded_rows) as loaded_rows
    from newest
    group by slice_start, slice_end
)

select
    slices.slice_start,
    slices.slice_end,
    slices.load_ids,
    before.slices,
    before.median
from slices
cross join lateral (
    select
        count(*) as slices,
        percentile_cont(0.5) within group (order by earlier.loaded_rows::double precision) as median
    from slices as earlier
    where
        earlier.slice_end - earlier.slice_start = slices.slice_end - slices.slice_start
        and earlier.slice_end <= slices.slice_start
        and earlier.slice_start >= slices.slice_start - $4::interval
) as before
where $3 < any(slices.load_ids)
order by slices.slice_start
