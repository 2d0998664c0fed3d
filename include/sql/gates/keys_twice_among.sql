select {key}, count(*) as rows
from {table}
where {current} and ({key}) in (select {key} from {table} where {filter})
group by {key}
having count(*) > 1
