-- The publications of a domain that stand, newest first.
select
    publication_id,
    tables,
    kept,
    published_at,
    run_id
from ops.publications
where
    domain = $1
    and rolled_back_at is null
order by publication_id desc
limit $2
