-- Rows that earlier loads of a slice, or of a file, have brought.
delete from {table}
where _load_id in (
    select load_id
    from ops.loads
    where
        source = $1
        and stream = $2
        and {of}
)
