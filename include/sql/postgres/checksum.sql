-- Rows, and the sum of their hashes; hashed twice, as the hash of a row is no more than a sum over its columns.
select
    count(*),
    coalesce(sum(hashint8extended(hash_record_extended(row({columns}), 0), 0)), 0)
from {table}
where {condition}
