-- Views that read a column: name, kind, owner.
select distinct
    views.oid::regclass::text,
    case views.relkind when 'm' then 'materialized view' else 'view' end,
    pg_get_userbyid(views.relowner)::text
from pg_depend as depends
inner join pg_attribute as attributes
    on attributes.attrelid = depends.refobjid and attributes.attnum = depends.refobjsubid
inner join pg_rewrite as rules on rules.oid = depends.objid
inner join pg_class as views on views.oid = rules.ev_class
where
    depends.classid = 'pg_rewrite'::regclass
    and depends.refclassid = 'pg_class'::regclass
    and depends.refobjid = to_regclass($1)
    and attributes.attname = $2
order by 1
