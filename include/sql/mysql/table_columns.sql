select
    cast(column_name as char) as column_name,
    cast(column_type as char) as column_type
from information_schema.columns
where table_schema = {schema} and table_name = {table}
order by ordinal_position
