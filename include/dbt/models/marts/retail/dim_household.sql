with versions as (

    select * from {{ ref('dim_household_history') }}

)

select
    household_key,
    household_id,
    age_band,
    household_size_band,
    household_composition,
    kids_count_band,
    home_ownership,
    is_demographics_known,
    is_inferred,
    case when not is_inferred then valid_from end as source_updated_at
from versions
where is_current
