-- Sessions of other roles that hold a lock on a relation; their names are no secret to any role.
select distinct coalesce(sessions.usename, '?') || ' (' || coalesce(nullif(sessions.application_name, ''), 'no name')
    || ', pid ' || locks.pid || ')'
from pg_locks as locks
inner join pg_stat_activity as sessions using (pid)
where
    locks.relation = to_regclass($1)
    and locks.granted
    and sessions.usename <> current_user
