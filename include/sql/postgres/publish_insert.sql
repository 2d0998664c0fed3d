insert into {published}
select built.*
from {built} as built
where not exists (
    select 1
    from {published} as published
    where published = built
)
