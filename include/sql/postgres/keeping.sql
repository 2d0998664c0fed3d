-- What a statement takes out or brings in, kept for a rollback.
with changed as (
    {change}
    returning {returned}
)

insert into {kept} ({columns})
select {columns}
from changed
