-- Generated columns too (hidden 2 and 3), but not those of virtual tables that are arguments (hidden 1).
select
    name as column_name,
    type as column_type
from pragma_table_xinfo({table})
where hidden <> 1
order by cid
