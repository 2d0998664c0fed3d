-- What happens in a shop in the 60 days from Monday, 2 March 2026, on. A row is in its table from the end of the day
-- `since` to the end of the day `until`: rows come late, are corrected, and go. Days count from 1.
drop schema if exists history cascade;
create schema history;

create table history.transactions as
select
    (day * 7 + basket * 5) % 61 + 1 as household_id,
    basket % 4 + 300 as store_id,
    day * 100 + basket as basket_id,
    (day * 3 + basket * 11 + item * 17) % 150 + 1 as product_id,
    item + 1 as quantity,
    1 + (day * 13 + basket * 7 + item * 3) % 40 + 0.25 as sales_value,
    0.10 * item as retail_disc,
    case when basket % 5 = 0 then 0.5 else 0 end as coupon_disc,
    0 as coupon_match_disc,
    (day + 6) / 7 + 9 as week,
    timestamptz '2026-03-01Z' + day * interval '1 day' + case basket
        when 11 then interval '1 day' - interval '1 microsecond'
        else basket * interval '2 hours'
    end as transaction_at,
    case when day > 40 then 'till ' || basket % 3 end as till_id,
    day as since,
    null::integer as until
from generate_series(1, 60) as day, generate_series(0, 11) as basket, generate_series(0, 2) as item;

-- A till that was offline delivers baskets late.
update history.transactions set since = since + 4 where since % 6 = 5 and since < 50 and basket_id % 100 = 10;

-- Purchases are cancelled.
update history.transactions set until = since + 6
where since % 3 = 0 and since < 50 and basket_id % 100 = 4 and quantity = 3;

-- Prices are corrected.
update history.transactions set until = since + 5 where since % 2 = 1 and since < 50 and basket_id % 100 = 2;
insert into history.transactions
select
    household_id, store_id, basket_id, product_id, quantity, sales_value + 3.5, retail_disc, coupon_disc,
    coupon_match_disc, week, transaction_at, till_id, until, null
from history.transactions where until = since + 5;

-- One on day 37 is below zero until it is corrected.
insert into history.transactions
select
    household_id, store_id, basket_id, product_id, quantity, -5, retail_disc, coupon_disc, coupon_match_disc, week,
    transaction_at, till_id, 37, 41
from history.transactions where basket_id = 3706 and quantity = 1;
update history.transactions set since = 41 where basket_id = 3706 and quantity = 1 and until is null;

-- Baskets were booked on the wrong day: they leave day 14 for day 15, and day 22 for day 23.
update history.transactions set until = 33 where basket_id in (1409, 2209);
insert into history.transactions
select
    household_id, store_id, basket_id, product_id, quantity, sales_value, retail_disc, coupon_disc, coupon_match_disc,
    week, transaction_at + interval '1 day', till_id, 33, null
from history.transactions where basket_id in (1409, 2209);

-- Households move or grow: at most once in each twenty days. Number 61 buys before it is registered.
create table history.households as
select
    id as household_id,
    (array['19-24', '25-34', '35-44', '45-54', '55-64', '65+', null])[id % 7 + 1] as age,
    (array['Under 15K', '35-49K', null])[id % 3 + 1] as income,
    (array['Homeowner', 'Renter'])[id % 2 + 1] as home_ownership,
    (array['Married', 'Unmarried', null])[id % 3 + 1] as marital_status,
    (array['1', '2', '3', '4', '5+'])[id % 5 + 1] as household_size,
    '2 Adults, "kids"' || chr(10) || 'or none' as household_comp,
    (array['0', '1', '2', '3+'])[id % 4 + 1] as kids_count,
    case when id = 61 then 30 else 1 end as since,
    null::integer as until
from generate_series(1, 61) as id;

create procedure history.moved(which integer, days integer, first integer, home text)
language sql as $$
    insert into history.households
    select
        household_id, age, '75-99K', home, marital_status, household_size, household_comp, kids_count,
        first + household_id % 7, -1
    from history.households where household_id % days = which and household_id <= 60 and until is null;
    update history.households as old set until = new.since
    from history.households as new
    where new.until = -1 and old.until is null and old.household_id = new.household_id;
    update history.households set until = null where until = -1;
$$;
call history.moved(1, 3, 9, 'Homeowner');
call history.moved(2, 4, 25, 'Renter');
call history.moved(3, 5, 45, 'Probable Homeowner');

-- The catalogue: goods change departments, one goes, some come.
create table history.products as
select
    id as product_id,
    id % 5 as manufacturer_id,
    (array['GROCERY', 'DELI', 'FUEL', 'PASTRY'])[id % 4 + 1] as department,
    (array['National', 'Private'])[id % 2 + 1] as brand,
    'SOUP' as product_category,
    nullif('TYPE ' || id, 'TYPE 7') as product_type,
    '10 OZ' as package_size,
    case when id > 150 then 35 else 1 end as since,
    case when id = 150 then 28 when id % 20 = 7 then 18 end as until
from generate_series(1, 153) as id;
insert into history.products
select product_id, manufacturer_id, 'COSMETICS', brand, product_category, product_type, '12 OZ', 18, null
from history.products where until = 18;
