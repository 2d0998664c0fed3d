-- Versions that the table has already, as new or newer.
delete from {staged} as staged
using {table} as target
where
    {same_key}
    and target._valid_from = {valid_from}
    and not {wins}
