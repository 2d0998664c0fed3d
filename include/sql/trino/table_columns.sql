select
    column_name,
    data_type as column_type
from {scope}information_schema.columns
where table_schema = {schema} and table_name = {table}
order by ordinal_position
