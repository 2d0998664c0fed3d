with source as (

    select * from {{ source('retail_db', 'households') }}

),

renamed as (

    select
        household_id,
        age as age_band,
        income,
        home_ownership,
        marital_status,
        household_size as household_size_band,
        household_comp as household_composition,
        kids_count as kids_count_band,
        updated_at,
        _valid_from as valid_from,
        _valid_to as valid_to,
        _is_current as is_current
    from source

)

select * from renamed
