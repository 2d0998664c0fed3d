-- Loads by their manifests, and whether each stands.
select
    loads.manifest_key,
    states.stands
from ops.loads as loads
inner join ops.load_states as states using (load_id)
where loads.manifest_key = any($1)
