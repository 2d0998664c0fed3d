select count(*) from (select 1 from {table} limit {rows}) as rows
