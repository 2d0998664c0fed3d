insert into {table} ({columns})
select {values}
from {staged}
