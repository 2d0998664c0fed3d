-- A small shop: 60 households, 40 products, November 2019 with 20 purchases a day, two of them on the day's edges.
truncate public.households, public.products, public.transactions;

insert into public.households
select
    id,
    (array['19-24', '25-34', '35-44', '45-54', '55-64', '65+', null])[id % 7 + 1],
    (array['Under 15K', '35-49K', null])[id % 3 + 1],
    (array['Homeowner', 'Renter'])[id % 2 + 1],
    (array['Married', 'Unmarried', null])[id % 3 + 1],
    (array['1', '2', '3', '4', '5+'])[id % 5 + 1],
    '2 Adults, "kids"' || chr(10) || 'or none',
    (array['0', '1', '2', '3+'])[id % 4 + 1],
    timestamptz '2019-11-01 08:00Z' + (id % 30) * interval '1 day'
from generate_series(1, 60) as id;

insert into public.products
select
    id,
    id % 5,
    'GROCERY',
    (array['National', 'Private'])[id % 2 + 1],
    'SOUP',
    nullif('TYPE ' || id, 'TYPE 7'),
    '10 OZ',
    timestamptz '2019-11-01 00:00Z'
from generate_series(1, 40) as id;

insert into public.transactions
select
    (day * 20 + n) % 60 + 1,
    n % 3 + 300,
    day * 1000 + n / 4,
    (day + n) % 40 + 1,
    n % 4 + 1,
    n + day / 100.0,
    0.10,
    0,
    0,
    day / 7 + 44,
    case n
        when 0 then timestamptz '2019-11-01 00:00Z'
        when 19 then timestamptz '2019-11-01 23:59:59.999999Z'
        else timestamptz '2019-11-01 00:00Z' + n * interval '1 hour'
    end + (day - 1) * interval '1 day'
from generate_series(1, 30) as day, generate_series(0, 19) as n;
