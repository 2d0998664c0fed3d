-- A household moves house: one that we know takes over home and income of another.
-- The chances, from 0 to below 1, pick the two.
with known as (
    select
        household_id,
        home_ownership,
        income,
        row_number() over (order by household_id) - 1 as place,
        count(*) over () as how_many
    from public.households
    where age is not null
),

mover as (
    select household_id from known
    where place = floor(%(mover_chance)s * how_many)
),

example as (
    select
        home_ownership,
        income
    from known
    where place = floor(%(example_chance)s * how_many)
)

update public.households
set home_ownership = example.home_ownership, income = example.income, updated_at = %(now)s
from mover, example
where households.household_id = mover.household_id
returning households.household_id
