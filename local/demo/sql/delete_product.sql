-- A product leaves the catalogue that nobody bought or is going to buy.
-- The chance, from 0 to below 1, picks it.
with unsold as (
    select
        product_id,
        row_number() over (order by product_id) - 1 as place,
        count(*) over () as how_many
    from public.products
    where
        not exists (
            select from public.transactions as sold
            where sold.product_id = products.product_id
        )
        and not exists (
            select from backlog.transactions as to_come
            where to_come.product_id = products.product_id
        )
)

delete from public.products
using unsold
where products.product_id = unsold.product_id and unsold.place = floor(%(chance)s * unsold.how_many)
returning products.product_id
