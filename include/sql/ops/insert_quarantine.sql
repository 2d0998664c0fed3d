insert into ops.quarantine (load_id, part_key, rows, reasons)
values ($1, $2, $3, $4::text::jsonb)
