update {table} as target
set
    _valid_to = validity.valid_to,
    _is_current = validity.is_current{deleted}
from {validity} as validity
where
    target.ctid = validity.row_id
    and not validity.is_new
    and (target._valid_to, target._is_current{old_deleted})
    is distinct from (validity.valid_to, validity.is_current{new_deleted})
