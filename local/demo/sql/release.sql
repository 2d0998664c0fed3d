-- Moves the purchases whose time has come. One statement, so that a row is in one place or the other.
with due as (
    delete from backlog.transactions
    where transaction_at <= %(now)s
    returning *
)

insert into public.transactions
select * from due
