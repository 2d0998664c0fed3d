-- Of rows with the same key the newest cursor stays; of equal cursors the greater row, byte by byte.
delete from {staged}
where ctid in (
    select ranked.row_id
    from (
        select
            rows.ctid as row_id,
            row_number() over (
                partition by {key}
                order by rows.{cursor} desc, row(rows.*)::record using operator(pg_catalog.*>)
            ) as place
        from {staged} as rows
        inner join (
            select {key}
            from {staged}
            group by {key}
            having count(*) > 1
        ) as repeated using ({key})
    ) as ranked
    where ranked.place > 1
)
