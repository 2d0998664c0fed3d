select
    column_name as column_name,
    data_type as column_type
from information_schema.columns
where table_schema = {schema} and table_name = {table}
order by ordinal_position
