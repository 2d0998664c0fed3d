-- Roles' rooms in the warehouse. Run by an administrator, in the warehouse database; safe to run again.
-- The login roles loader, transformer, analyst and ml exist already: their passwords are not our matter.

revoke create on schema public from public;
revoke temporary on database {database} from public;
grant temporary on database {database} to loader, transformer;

create schema if not exists ops authorization loader;
create schema if not exists raw_retail_db authorization loader;
create schema if not exists raw_marketing_api authorization loader;
create schema if not exists raw_promotions authorization loader;
create schema if not exists raw_leaflets authorization loader;
create schema if not exists staging authorization transformer;
create schema if not exists intermediate authorization transformer;
create schema if not exists build_retail authorization transformer;
create schema if not exists kept_retail authorization transformer;
create schema if not exists marts authorization transformer;
create schema if not exists ml authorization transformer;

grant usage on schema raw_retail_db, raw_marketing_api, raw_promotions, raw_leaflets to transformer;
alter default privileges for role loader in schema raw_retail_db grant select on tables to transformer;
alter default privileges for role loader in schema raw_marketing_api grant select on tables to transformer;
alter default privileges for role loader in schema raw_promotions grant select on tables to transformer;
alter default privileges for role loader in schema raw_leaflets grant select on tables to transformer;

-- May read marts with restricted columns. An administrator grants it to persons: grant restricted_reader to somebody.
do $$
begin
    if not exists (select from pg_roles where rolname = 'restricted_reader') then
        create role restricted_reader nologin;
    end if;
end
$$;

grant usage on schema marts to analyst, ml, restricted_reader;
grant usage on schema ml to ml, restricted_reader;

-- Sorts and hashes of models over millions of rows stay in memory: 64 MB each, at four models at a time.
alter role transformer in database {database} set work_mem = '64MB';
-- All statements of a reader's transaction see the same publication.
alter role analyst in database {database} set default_transaction_isolation = 'repeatable read';
alter role ml in database {database} set default_transaction_isolation = 'repeatable read';
