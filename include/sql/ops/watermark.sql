select
    slice_end,
    cursor_high
from ops.watermarks
where
    source = $1
    and stream = $2
