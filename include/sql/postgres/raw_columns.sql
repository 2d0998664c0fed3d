-- Columns of a table in order: name, type, and whether it has a value in every row.
select
    attributes.attname::text,
    format_type(attributes.atttypid, attributes.atttypmod),
    attributes.attnotnull
from pg_attribute as attributes
where
    attributes.attrelid = to_regclass($1)
    and attributes.attnum > 0
    and not attributes.attisdropped
order by attributes.attnum
