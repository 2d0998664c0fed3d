-- The operational tables, and the rows whose time is yet to come. Run by the owner of the database.
-- Keys and indexes follow in finish.sql: it is quicker to build them once the rows are there.

create table public.households (
    household_id bigint not null,
    age text,
    income text,
    home_ownership text,
    marital_status text,
    household_size text,
    household_comp text,
    kids_count text,
    updated_at timestamptz not null
);

create table public.products (
    product_id bigint not null,
    manufacturer_id bigint,
    department text,
    brand text,
    product_category text,
    product_type text,
    package_size text,
    updated_at timestamptz not null
);

-- No foreign keys: some products were sold that the catalogue does not know.
create table public.transactions (
    household_id bigint not null,
    store_id bigint not null,
    basket_id bigint not null,
    product_id bigint not null,
    quantity integer not null,
    sales_value numeric(10, 2) not null,
    retail_disc numeric(10, 2) not null,
    coupon_disc numeric(10, 2) not null,
    coupon_match_disc numeric(10, 2) not null,
    week integer not null,
    transaction_at timestamptz not null
);

create schema backlog;

create table backlog.transactions (like public.transactions);

create table backlog.seeded (
    anchor date not null,
    shift_weeks integer not null,
    seeded_at timestamptz not null
);
