select *
from {table}
where ({filter}) and {column} is not null
