-- The id was drawn before: the load's rows carry it.
insert into ops.loads (
    load_id,
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
    compared_keys,
    object_key,
    object_etag,
    object_modified_at,
    object_bytes,
    conformed_at,
    replay_of,
    superseded
)
overriding system value
values (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18::bigint, $19::text, $20::bigint,
    $21::text, $22::text, $23::timestamptz, $24::bigint, $25::timestamptz, $26::bigint, $27::boolean
)
