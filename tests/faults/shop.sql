-- More rows for the small shop, so that connections can break in the middle of them.
insert into public.households
select
    id, age, income, home_ownership, marital_status, household_size, household_comp, kids_count, updated_at
from generate_series(61, 900) as id
inner join public.households as template on template.household_id = id % 60 + 1;

insert into public.products
select
    id, manufacturer_id, department, brand, product_category, 'TYPE ' || id, package_size, updated_at
from generate_series(41, 1500) as id
inner join public.products as template on template.product_id = id % 40 + 1;

insert into public.transactions
select
    (household_id + n * 7) % 900 + 1,
    store_id,
    basket_id + n * 100000,
    product_id,
    quantity,
    sales_value,
    retail_disc,
    coupon_disc,
    coupon_match_disc,
    week,
    transaction_at
from public.transactions, generate_series(1, 19) as n;
