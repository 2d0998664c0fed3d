-- All but the newest publications that stand can't be rolled back any more.
update ops.publications
set kept = false
where
    domain = $1
    and kept
    and publication_id not in (
        select publication_id
        from ops.publications
        where
            domain = $1
            and kept
            and rolled_back_at is null
        order by publication_id desc
        limit $2
    )
