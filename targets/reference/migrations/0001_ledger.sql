-- The ledger. Amounts are integers in minor units. Ids are opaque text.

-- `balance` is a projection of `entries`, kept in the same transaction, so that a limit can be checked by reading one row.
-- `version` counts the changes; what was cached under a version is right for ever.
create table accounts (
    id       text collate "C" primary key,
    currency text   not null,
    floor    bigint not null,            -- the lowest balance the account may have
    balance  bigint not null default 0,
    version  bigint not null default 0
);

-- One row per idempotency key. It is the first thing a request writes, in the transaction that does the work: whoever
-- comes second waits on the primary key until the first has committed, and then reads its answer.
create table idempotency_keys (
    key     text primary key,
    request text not null,               -- the request in canonical form: the same key must mean the same thing
    status  integer,
    answer  text,
    claimed_ms bigint,                   -- by the clock of whoever claimed it; only the defects that go by it write it
    check ((status is null) = (answer is null))
);

-- What was decided about each request to move money; declines too.
create table transfers (
    id       text primary key,
    key      text   not null,
    debit    text   not null references accounts,
    credit   text   not null references accounts,
    amount   bigint not null,
    currency text   not null,
    posted   boolean not null,
    reverses text   references transfers
);

-- The guard of reversals: an original appears at most once, whatever the code in front of this table believes.
create table reversals (
    original text primary key references transfers,
    reversal text not null unique references transfers
);

-- The journal. Rows are only ever added. Both accounts of a transfer are locked before its rows get their sequence,
-- so per account the order of `sequence` is the order in which the transfers took effect.
create table entries (
    sequence bigserial primary key,
    transfer text   not null references transfers,
    account  text   not null references accounts,
    amount   bigint not null,
    currency text   not null,
    key      text   not null,
    reverses text   references transfers,
    unique (transfer, account)
);
create index entries_of_account on entries (account, sequence);

-- Events to publish, written in the transaction that they tell of. Positions of one debited account rise in the order of
-- its commits, because they are drawn under its lock; positions of different accounts may commit in any order, which is
-- why the relay looks for rows that are unsent and not for rows above a mark.
create table outbox (
    position bigserial primary key,
    event_id text not null unique,
    account  text not null,              -- the debited account: the record's key, and so its partition
    payload  jsonb not null,
    sent_at  timestamptz
);
create index outbox_unsent on outbox (position) where sent_at is null;

-- Which relay publishes. One row.
create table relay_lease (
    sole    boolean primary key default true check (sole),
    holder  text not null,
    expires timestamptz not null
);
insert into relay_lease (holder, expires) values ('nobody', '-infinity');
