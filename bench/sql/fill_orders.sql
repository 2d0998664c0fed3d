-- Every value follows from its row's number: two machines measure the same rows.
insert into {table}
select
    i,
    ((i::bigint * 7919) % 200000)::integer,
    case when i % 10 <> 0 then (i % 500)::smallint end,
    (((i::bigint * 2654435761) % 10000000) / 100.0)::numeric(12, 2),
    case when i % 3 <> 0 then ((i::bigint * 40503 % 100000) / 10000.0)::numeric(10, 4) end,
    i % 17 = 0,
    timestamptz '2025-01-01 00:00:00+00' + i * interval '7 seconds' + (i % 1000000) * interval '1 microsecond',
    case when i % 5 <> 0 then date '2025-01-02' + (i / 12000)::integer end,
    (array['new', 'paid', 'sent', 'delivered', 'returned'])[1 + i % 5],
    case
        when i % 4 <> 0
            then 'He said "leave it at door ' || (i % 977) || '",' || chr(10) || 'then left; ref ' || md5(i::text)
    end,
    jsonb_build_object(
        'channel', (array['web', 'app', 'shop'])[1 + i % 3],
        'items', jsonb_build_array(i % 50, i % 70),
        'note', 'it''s "ok"'
    )
from generate_series(1, {rows}) as i
