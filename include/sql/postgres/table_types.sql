-- Columns of a table and their types, in order.
select
    attributes.attname::text,
    format_type(attributes.atttypid, attributes.atttypmod)
from pg_attribute as attributes
where
    attributes.attrelid = to_regclass($1)
    and attributes.attnum > 0
    and not attributes.attisdropped
order by attributes.attnum
