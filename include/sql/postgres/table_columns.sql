select string_agg(
    quote_ident(attributes.attname)
    || ' ' || format_type(attributes.atttypid, attributes.atttypmod)
    || case when attributes.attnotnull then ' not null' else '' end,
    ', '
    order by attributes.attnum
)
from pg_attribute as attributes
where
    attributes.attrelid = to_regclass($1)
    and attributes.attnum > 0
    and not attributes.attisdropped
