insert into ops.watermarks (source, stream, slice_end, load_id)
values ($1, $2, $3, $4)
on conflict (source, stream) do update
set
    slice_end = excluded.slice_end,
    load_id = excluded.load_id
where excluded.slice_end >= ops.watermarks.slice_end
