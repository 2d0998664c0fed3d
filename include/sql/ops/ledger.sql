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
add column if not exists compared_keys bigint,
add column if not exists object_key text,
add column if not exists object_etag text,
add column if not exists object_modified_at timestamptz,
add column if not exists object_bytes bigint,
add column if not exists conformed_at timestamptz,
add column if not exists replay_of bigint references ops.loads,
add column if not exists superseded boolean not null default false,
add column if not exists lake_deleted_at timestamptz;

create index if not exists loads_stream on ops.loads (source, stream, slice_start);
create index if not exists loads_object on ops.loads (source, stream, object_key) where object_key is not null;

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

alter table ops.quarantine
add column if not exists replay_load_id bigint references ops.loads,
add column if not exists superseded_at timestamptz,
add column if not exists expired_at timestamptz;

-- Whether a load stands: rows of the raw table may come from it still. Rows give way to a later load of their slice, or
-- of their file, and to any later snapshot; none give way to loads that enter by key. Of a load that is cut, a later one
-- has taken the place of some rows, and nothing tells of which. A replay stands with the load that it is of.
create or replace view ops.load_states as
select
    loads.load_id,
    origin.load_id as origin_id,
    not origin.superseded and not coalesce(later.covers, false) as stands,
    coalesce(later.cuts, false) as is_cut
from ops.loads as loads
inner join ops.loads as origin on origin.load_id = coalesce(loads.replay_of, loads.load_id)
left join lateral (
    select
        bool_or(
            newer.write_disposition <> 'replace_slice'
            or (newer.slice_start <= origin.slice_start and newer.slice_end >= origin.slice_end)
        ) as covers,
        count(*) > 0 as cuts
    from ops.loads as newer
    where
        newer.source = origin.source
        and newer.stream = origin.stream
        and newer.load_id > origin.load_id
        and newer.replay_of is null
        and not newer.superseded
        and case newer.write_disposition
            when 'replace' then true
            when 'replace_slice'
                then newer.slice_start < origin.slice_end and newer.slice_end > origin.slice_start
            when 'append'
                then newer.object_key = origin.object_key
                or (
                    newer.object_key is null
                    and origin.object_key is null
                    and newer.slice_start <= origin.slice_start
                    and newer.slice_end >= origin.slice_end
                )
            else false
        end
) as later on true;

-- Rows that were set aside and can be replayed: those of loads that stand.
create or replace view ops.open_quarantine as
select
    quarantine.quarantine_id,
    quarantine.part_key,
    quarantine.rows,
    quarantine.reasons,
    origin.load_id,
    origin.source,
    origin.stream,
    origin.slice_start,
    origin.slice_end,
    origin.extracted_at,
    origin.object_key,
    origin.object_etag,
    origin.object_modified_at,
    origin.object_bytes,
    attempts.contract_version
from ops.quarantine as quarantine
inner join ops.loads as attempts using (load_id)
inner join ops.load_states as states using (load_id)
inner join ops.loads as origin on origin.load_id = states.origin_id
where
    quarantine.replayed_at is null
    and quarantine.superseded_at is null
    and quarantine.expired_at is null
    and states.stands
    and not states.is_cut;

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

-- threshold_low and threshold_high: where measured_value must lie, where that is a range of numbers. load_ids: the loads
-- whose rows the gate was about.
alter table ops.gate_results
add column if not exists level text,
add column if not exists measured_value numeric,
add column if not exists threshold_low numeric,
add column if not exists threshold_high numeric,
add column if not exists detail text,
add column if not exists waiver jsonb,
add column if not exists contract_version text,
add column if not exists load_ids bigint [];

-- Some of the rows that a check found, personal columns masked, and the query that found them.
create table if not exists ops.gate_samples (
    gate_result_id bigint primary key references ops.gate_results on delete cascade,
    rows jsonb not null,
    query text not null
);

-- How far a stream's rows have passed their gate: those of every load up to this one, by this contract. Loads of a
-- stream get their ids one after the other, under its lock.
create table if not exists ops.gate_marks (
    source text not null,
    stream text not null,
    load_id bigint not null references ops.loads,
    contract_digest text not null,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    passed_at timestamptz not null default clock_timestamp(),
    primary key (source, stream)
);

-- Loads whose rows no gate has let pass yet.
create or replace view ops.ungated_loads as
select loads.*
from ops.loads
left join ops.gate_marks as marks on loads.source = marks.source and loads.stream = marks.stream
where loads.load_id > coalesce(marks.load_id, 0) and not loads.superseded;

create table if not exists ops.publications (
    publication_id bigint generated always as identity primary key,
    domain text not null,
    tables jsonb not null,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    published_at timestamptz not null default clock_timestamp()
);

alter table ops.publications
add column if not exists whole boolean not null default true,
add column if not exists models jsonb not null default '{}',
add column if not exists dbt_version text,
add column if not exists project_version text,
add column if not exists contract_versions jsonb not null default '{}',
add column if not exists kept boolean not null default false,
add column if not exists rolled_back_at timestamptz,
add column if not exists rolled_back_by text;

create index if not exists publications_domain on ops.publications (domain, publication_id);

create table if not exists ops.publication_loads (
    publication_id bigint not null references ops.publications,
    load_id bigint not null references ops.loads,
    primary key (publication_id, load_id)
);

create index if not exists publication_loads_load on ops.publication_loads (load_id);

-- Loads that are published: those of publications that were not rolled back. Ids say nothing of it: loads commit in any
-- order.
create or replace view ops.published_loads as
select
    publications.domain,
    loads.load_id
from ops.publication_loads as loads
inner join ops.publications as publications using (publication_id)
where publications.rolled_back_at is null;

-- What a domain's transform is to take: the loads that no standing publication held when it was planned. Each plan takes
-- the place of the one before it.
create table if not exists ops.plans (
    domain text primary key,
    dag_id text not null,
    run_id text not null,
    try_number integer not null,
    whole boolean not null,
    reason text not null,
    planned_at timestamptz not null default clock_timestamp(),
    published_at timestamptz
);

create table if not exists ops.plan_loads (
    domain text not null references ops.plans on delete cascade,
    load_id bigint not null references ops.loads,
    primary key (domain, load_id)
);

-- Domains that are not to be published but by force.
create table if not exists ops.holds (
    domain text primary key,
    reason text not null,
    held_by text not null,
    held_at timestamptz not null default clock_timestamp()
);

-- When the rows that planned loads brought, or took away, are dated: disjoint windows in time for each stream. A file
-- may have been delivered for another window before. Streams whose rows enter by key, or all at once, are planned
-- whole; so are all streams, if the plan is whole. Redshift has no infinity.
create or replace view ops.planned_slices as
with planned as (
    select
        plan_loads.domain,
        loads.source,
        loads.stream,
        loads.slice_start,
        loads.slice_end,
        loads.write_disposition in ('replace_slice', 'append') as is_sliced
    from ops.plan_loads as plan_loads
    inner join ops.loads as loads using (load_id)
    union all
    select
        plan_loads.domain,
        earlier.source,
        earlier.stream,
        earlier.slice_start,
        earlier.slice_end,
        true as is_sliced
    from ops.plan_loads as plan_loads
    inner join ops.loads as loads using (load_id)
    inner join ops.loads as earlier
        on
            earlier.source = loads.source
            and earlier.stream = loads.stream
            and earlier.object_key = loads.object_key
    union all
    select
        plans.domain,
        streams.source,
        streams.stream,
        null as slice_start,
        null as slice_end,
        false as is_sliced
    from ops.plans as plans
    cross join (select distinct source, stream from ops.loads) as streams
    where plans.whole
),

merged as (
    select
        domain,
        source,
        stream,
        range_agg(
            case
                when is_sliced then tstzrange(slice_start, slice_end)
                else tstzrange('0001-01-01 00:00:00+00', '9999-12-31 00:00:00+00')
            end
        ) as windows
    from planned
    group by domain, source, stream
)

select
    merged.domain,
    merged.source,
    merged.stream,
    lower(windows.slice) as slice_start,
    upper(windows.slice) as slice_end
from merged
cross join lateral unnest(merged.windows) as windows (slice);

grant usage on schema ops to transformer;
grant select on all tables in schema ops to transformer;
revoke select on ops.gate_samples from transformer;
grant insert on ops.gate_results, ops.gate_samples, ops.publications, ops.publication_loads to transformer;
grant update (kept, rolled_back_at, rolled_back_by) on ops.publications to transformer;
grant insert, update, delete on ops.plans, ops.plan_loads, ops.holds to transformer;
grant usage on sequence ops.publications_publication_id_seq to transformer;
