-- When the rows of a load were conformed; unknown loads count as the oldest.
coalesce(
    (select coalesce(conformed_at, extracted_at) from ops.loads where load_id = {load_id}), '-infinity'::timestamptz
)
