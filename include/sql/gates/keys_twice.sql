select {key}, count(*) as rows
from {table}
where {current}
group by {key}
having count(*) > 1
