select
    column_name as "column_name",
    data_type as "column_type"
from all_tab_columns
where owner = {schema} and table_name = {table}
order by column_id
