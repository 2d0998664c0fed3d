insert into {table} ({columns}, _valid_from, _valid_to, _is_current{deleted})
select
    {values},
    validity.valid_from,
    validity.valid_to,
    validity.is_current{new_deleted}
from {staged} as staged
inner join {validity} as validity on validity.row_id = staged.ctid
where validity.is_new
