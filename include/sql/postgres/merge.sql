-- One row a key: no row gives way to an older one.
insert into {table} as target ({columns})
select {values}
from {staged}
on conflict ({key}) do update
set {assignments}
where {wins}
