create table {table} (
    {columns}
)
