with versions as (

    select
        household_id,
        age_band,
        household_size_band,
        household_composition,
        kids_count_band,
        home_ownership,
        false as is_inferred,
        valid_from,
        coalesce(valid_to, cast('{{ var("end_of_time") }}' as timestamp with time zone)) as valid_to
    from {{ ref('stg_retail_db__households') }}

),

first_versions as (

    select
        household_id,
        min(valid_from) as valid_from
    from versions
    group by household_id

),

-- What a household was before the source's first word on it, where a fact is older, or the source has none.
inferred as (

    select
        seen.household_id,
        cast(null as varchar) as age_band,
        cast(null as varchar) as household_size_band,
        cast(null as varchar) as household_composition,
        cast(null as varchar) as kids_count_band,
        cast(null as varchar) as home_ownership,
        true as is_inferred,
        cast('{{ var("beginning_of_time") }}' as timestamp with time zone) as valid_from,
        coalesce(first_versions.valid_from, cast('{{ var("end_of_time") }}' as timestamp with time zone))
            as valid_to
    from {{ ref('int_retail__households_seen') }} as seen
    left join first_versions on seen.household_id = first_versions.household_id
    where first_versions.household_id is null or seen.first_seen_at < first_versions.valid_from

),

all_versions as (

    select * from versions
    union all
    select * from inferred

)

select
    {{ surrogate_key(['household_id', utc_text('valid_from')]) }} as household_version_key,
    {{ surrogate_key(['household_id']) }} as household_key,
    household_id,
    age_band,
    household_size_band,
    household_composition,
    kids_count_band,
    home_ownership,
    age_band is not null as is_demographics_known,
    is_inferred,
    valid_from,
    valid_to,
    row_number() over (partition by household_id order by valid_from desc) = 1 as is_current
from all_versions
