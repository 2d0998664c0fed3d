-- Columns of a table or view, in order; domains stand as the types that they are made of. A type that is not Postgres's
-- own has no name here, as it may be called like one that is.
with recursive bases as (
    select
        oid as declared,
        oid as found,
        -1 as modifier
    from pg_type
    union all
    select
        bases.declared,
        domains.typbasetype,
        domains.typtypmod
    from bases
    inner join pg_type as domains on domains.oid = bases.found and domains.typtype = 'd'
)

select
    attributes.attname::text,
    case when types.typnamespace = 'pg_catalog'::regnamespace then types.typname::text else '' end,
    attributes.attnotnull,
    information_schema._pg_numeric_precision(types.oid, greatest(attributes.atttypmod, bases.modifier)),
    information_schema._pg_numeric_scale(types.oid, greatest(attributes.atttypmod, bases.modifier))
from pg_attribute as attributes
inner join bases on bases.declared = attributes.atttypid
inner join pg_type as types on types.oid = bases.found and types.typtype <> 'd'
where
    attributes.attrelid = to_regclass($1)
    and attributes.attnum > 0
    and not attributes.attisdropped
order by attributes.attnum
