-- The ledger: the one truth on what has been loaded, checked and published.
-- Owned by the loader role; safe to run again.

create table if not exists ops.loads (
    load_id bigint generated always as identity primary key,
    source text not null,
    stream text not null,
    slice_start timestamptz not null,
    slice_end timestamptz not null,
    write_disposition text not null,
    contract_version text not null,
    manifest_key text not null,
    manifest_digest text not null unique,
    extracted_at timestamptz not null,
    source_rows bigint not null,
    lake_rows bigint not null,
    loaded_rows bigint not null,
    quarantined_rows bigint not null,
    bytes bigint not null,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    committed_at timestamptz not null default clock_timestamp(),
    check (slice_start < slice_end),
    check (source_rows = lake_rows + quarantined_rows),
    check (loaded_rows <= lake_rows)
);

alter table ops.loads
add column if not exists checksum text,
add column if not exists compared_keys bigint;

create index if not exists loads_stream on ops.loads (source, stream, slice_start);

create table if not exists ops.watermarks (
    source text not null,
    stream text not null,
    slice_end timestamptz not null,
    load_id bigint not null references ops.loads,
    primary key (source, stream)
);

alter table ops.watermarks
add column if not exists cursor_high text;

create table if not exists ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    load_id bigint not null references ops.loads,
    part_key text not null unique,
    rows bigint not null,
    reasons jsonb not null,
    replayed_at timestamptz
);

create table if not exists ops.gate_results (
    gate_result_id bigint generated always as identity primary key,
    gate text not null,
    dataset text not null,
    check_name text not null,
    check_type text not null,
    column_name text,
    outcome text not null,
    measured jsonb,
    threshold text,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    checked_at timestamptz not null default clock_timestamp()
);

create index if not exists gate_results_gate on ops.gate_results (gate, checked_at);

create table if not exists ops.publications (
    publication_id bigint generated always as identity primary key,
    domain text not null,
    tables jsonb not null,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    published_at timestamptz not null default clock_timestamp()
);

create table if not exists ops.publication_loads (
    publication_id bigint not null references ops.publications,
    load_id bigint not null references ops.loads,
    primary key (publication_id, load_id)
);

grant usage on schema ops to transformer;
grant select on all tables in schema ops to transformer;
grant insert on ops.gate_results, ops.publications, ops.publication_loads to transformer;
