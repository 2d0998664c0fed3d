insert into ops.loads (
    source,
    stream,
    slice_start,
    slice_end,
    write_disposition,
    contract_version,
    manifest_key,
    manifest_digest,
    extracted_at,
    source_rows,
    lake_rows,
    loaded_rows,
    quarantined_rows,
    bytes,
    dag_id,
    run_id,
    try_number,
    checksum,
    compared_keys
)
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::bigint, $18::text, $19::bigint
)
returning load_id
