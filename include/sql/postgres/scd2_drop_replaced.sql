-- Versions of which a later reading takes the place.
delete from {table} as target
using {staged} as staged
where
    {same_key}
    and target._valid_from = {valid_from}
