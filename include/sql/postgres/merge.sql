-- One row a key: within the batch the newest cursor wins, and no row gives way to an older one.
insert into {table} as target ({columns})
select distinct on ({key}) {columns}
from {staged}
order by {key}, {cursor} desc nulls last
on conflict ({key}) do update
set {assignments}
where excluded.{cursor} >= target.{cursor}
