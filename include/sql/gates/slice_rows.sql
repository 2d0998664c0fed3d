select coalesce(sum(loaded_rows), 0) from ops.loads where load_id in ({load_ids})
