create table if not exists {table} (
    {columns},
    _slice_start timestamptz not null,
    _loaded_at timestamptz not null,
    _manifest text not null
)
