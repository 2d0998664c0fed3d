-- Sessions of other roles that may still see the warehouse as it was before a transaction; our own read no marts.
select coalesce(usename, '?') || ' (' || coalesce(nullif(application_name, ''), 'no name') || ', pid ' || pid || ')'
from pg_stat_activity
where
    datname = current_database()
    and usename <> current_user
    and age(backend_xmin) >= age($1::text::xid)
