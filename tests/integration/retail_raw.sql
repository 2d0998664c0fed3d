-- Raw tables of the domain retail, as the engine makes them, with reference data that never changes.
create table raw_retail_db.households (
    household_id text not null, age text, income text, home_ownership text, marital_status text,
    household_size text, household_comp text, kids_count text, updated_at timestamptz not null,
    _load_id bigint not null, _extracted_at timestamptz not null,
    _valid_from timestamptz not null, _valid_to timestamptz, _is_current boolean not null
);

create table raw_retail_db.products (
    product_id bigint not null, manufacturer_id bigint not null, department text not null, brand text not null,
    product_category text, product_type text, package_size text, updated_at timestamptz not null,
    _load_id bigint not null
);

create table raw_retail_db.transactions (
    household_id text not null, store_id bigint not null, basket_id bigint not null, product_id bigint not null,
    quantity integer not null, sales_value numeric(10, 2) not null, retail_disc numeric(10, 2) not null,
    coupon_disc numeric(10, 2) not null, coupon_match_disc numeric(10, 2) not null, week integer not null,
    transaction_at timestamptz not null, _load_id bigint not null
);

create table raw_marketing_api.campaigns (
    campaign_id bigint not null, campaign_type text not null, start_date date not null, end_date date not null,
    household_ids text[] not null, _load_id bigint not null
);

create table raw_marketing_api.campaign_households (
    campaign_id bigint not null, household_id text not null, _load_id bigint not null
);

create table raw_marketing_api.coupons (
    coupon_upc bigint not null, product_id bigint not null, campaign_id bigint not null, _load_id bigint not null
);

create table raw_marketing_api.redemptions (
    redemption_id text not null, household_id text not null, coupon_upc bigint not null, campaign_id bigint not null,
    redemption_date date not null, updated_at timestamptz not null, _load_id bigint not null,
    _extracted_at timestamptz not null
);

create table raw_promotions.promotions (
    product_id bigint not null, store_id bigint not null, display_location text not null,
    mailer_location text not null, week integer not null, week_start date not null, _load_id bigint not null
);

create table raw_leaflets.leaflets (
    key text not null, media_type text not null, media_type_claimed text, bytes bigint not null, sha256 text not null,
    etag text not null, modified_at timestamptz not null, lake_key text not null, metadata jsonb,
    _load_id bigint not null, _deleted_at timestamptz
);

insert into raw_leaflets.leaflets values
('terms.txt', 'text/plain', 'text/plain', 3, repeat('0', 64), 'e1', '2026-03-02Z', 'landing/terms.txt', '{}', 0, null),
('gone.txt', 'text/plain', 'text/plain', 3, repeat('0', 64), 'e2', '2026-03-02Z', 'landing/gone.txt', '{}', 0, '2026-03-03Z');

insert into raw_retail_db.products
select
    id, id % 5, (array['GROCERY', 'DELI', 'FUEL'])[id % 3 + 1], 'National', 'SOUP', null, '10 OZ', '2026-01-01Z', 0
from generate_series(1, 30) as id;

insert into raw_retail_db.households
select
    md5(id::text), (array['19-24', '65+', null])[id % 3 + 1], '35-49K', 'Renter', 'Married', '2', '2 Adults', '0',
    '2026-03-02Z', 0, '2026-03-03Z', '2026-03-02Z', null, true
from generate_series(1, 12) as id;

insert into raw_marketing_api.campaigns values
(1, 'Type A', '2026-03-05', '2026-03-08', '{}', 0),
(2, 'Type B', '2026-03-16', '2026-03-20', '{}', 0);

insert into raw_marketing_api.campaign_households
select campaign_id, md5(id::text), 0
from generate_series(1, 2) as campaign_id, generate_series(1, 6) as id;

insert into raw_marketing_api.coupons values (7, 1, 1, 0), (8, 2, 2, 0);

insert into raw_marketing_api.redemptions
select 'r-' || id, md5(id::text), 7, 1, '2026-03-06', '2026-03-06 12:00Z', 0, '2026-03-07Z'
from generate_series(1, 3) as id;
