-- Whether a relation is a table, and so are all of its partitions.
select
    relkind in ('r', 'p')
    and not exists (
        select 1
        from pg_partition_tree(to_regclass($1)) as parts
        inner join pg_class as leaves on leaves.oid = parts.relid
        where leaves.relkind = 'f'
    )
from pg_class
where oid = to_regclass($1)
