select
    key,
    etag
from {table}
where {live}
