-- Who but its owner may read a relation, or a column of it.
select distinct case grants.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grants.grantee)::text) end
from pg_class as relations
cross join lateral (
    select granted.*
    from aclexplode(relations.relacl) as granted
    union all
    select granted.*
    from pg_attribute as attributes
    cross join lateral aclexplode(attributes.attacl) as granted
    where attributes.attrelid = relations.oid and not attributes.attisdropped
) as grants
where
    relations.oid = to_regclass($1)
    and grants.privilege_type = 'SELECT'
    and grants.grantee <> relations.relowner
order by 1
