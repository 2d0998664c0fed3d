-- Independent of the order of rows; another number as soon as one value differs.
select count(*), coalesce(sum(hashtextextended(row({columns})::text, 0)::numeric), 0)
from {table}
