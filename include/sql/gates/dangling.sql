select checked.*
from (select * from {table} where {filter}) as checked
where
    checked.{column} is not null
    and not exists (select from {target} as target where target.{target_column} = checked.{column})
