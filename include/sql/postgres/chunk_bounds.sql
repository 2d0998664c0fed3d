-- Last keys of chunks of about the same size, the last chunk's left out. A sample of the keys tells them as well as all
-- keys do: whatever the bounds are, each row is in one chunk.
with keys as (
    select
        {bounds},
        row_number() over (order by {key}) as place,
        count(*) over () as places
    from {table} {sample}
    where {condition}
)

select {names}
from keys
where place % $1 = 0 and place < places
order by place
