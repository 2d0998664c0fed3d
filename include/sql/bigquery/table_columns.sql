select
    column_name,
    data_type as column_type
from {scope}{schema_name}.INFORMATION_SCHEMA.COLUMNS
where table_name = {table}
order by ordinal_position
