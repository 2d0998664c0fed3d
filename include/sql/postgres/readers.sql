-- Who may read a relation, but its owner.
select
    case grants.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grants.grantee)::text) end,
    grants.is_grantable
from pg_class as relations
cross join lateral aclexplode(relations.relacl) as grants
where
    relations.oid = to_regclass($1)
    and grants.privilege_type = 'SELECT'
    and grants.grantee <> relations.relowner
order by 1
