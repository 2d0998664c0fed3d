select *
from {table}
where {condition}
