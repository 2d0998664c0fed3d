-- Neither the slice nor the cursor goes back.
insert into ops.watermarks (source, stream, slice_end, load_id, cursor_high)
values ($1, $2, $3, $4, $5::text)
on conflict (source, stream) do update
set
    slice_end = greatest(excluded.slice_end, watermarks.slice_end),
    load_id = case
        when excluded.slice_end >= watermarks.slice_end then excluded.load_id
        else watermarks.load_id
    end,
    cursor_high = case
        when
            watermarks.cursor_high is null
            or excluded.cursor_high::{type} > watermarks.cursor_high::{type}
            then coalesce(excluded.cursor_high, watermarks.cursor_high)
        else watermarks.cursor_high
    end
