-- Statements that bring the comments of a table's columns, and its own, to another one.
select
    case built.attnum
        when 0 then format('comment on table %s is %L', $2::text, built.comment)
        else format('comment on column %s.%I is %L', $2::text, built.attname, built.comment)
    end
from (
    select
        attnum,
        attname,
        col_description(attrelid, attnum) as comment
    from pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
    union all
    select
        0,
        '',
        obj_description(to_regclass($1), 'pg_class')
) as built
left join pg_attribute as published
    on
        published.attrelid = to_regclass($2)
        and published.attname = built.attname
        and not published.attisdropped
where
    case built.attnum
        when 0 then built.comment is distinct from obj_description(to_regclass($2), 'pg_class')
        else
            published.attnum is not null
            and built.comment is distinct from col_description(published.attrelid, published.attnum)
    end
