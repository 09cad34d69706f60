-- Orders and their payment. Amounts are integers in minor units. Ids are opaque text.

-- `version` rises by one with each change of `state`; every change is guarded by the version it was decided on.
create table orders (
    position    bigserial unique,            -- the order of creation
    id          text primary key,
    key         text    not null unique,     -- the caller's; whoever comes second waits here and reads what the first wrote
    fingerprint text    not null,            -- of the request: the same key must mean the same thing
    customer    text    not null,
    amount      bigint  not null check (amount > 0),
    currency    text    not null,
    state       text    not null,
    version     integer not null
);

-- What is needed to charge, kept apart from all that is read and published, and only as long as it is needed.
create table cards (
    order_id text primary key references orders,
    number   text not null
);

-- Events to publish, written in the transaction that they tell of. Positions of one order rise in the order of its
-- versions, because they are drawn under the lock of its row.
create table outbox (
    position    bigserial primary key,
    event_id    text  not null unique,
    order_id    text  not null,              -- the record's key, and so its partition
    payload     jsonb not null,
    correlation text,                        -- the header `correlation-id`
    sent_at     timestamptz
);
create index outbox_unsent on outbox (position) where sent_at is null;

-- Which relay publishes. One row.
create table relay_lease (
    sole    boolean primary key default true check (sole),
    holder  text not null,
    expires timestamptz not null
);
insert into relay_lease (holder, expires) values ('nobody', '-infinity');

-- Events that have been acted on. Written in the transaction that does what the event asks for.
create table inbox (
    event_id text primary key
);

-- Work to do: one row for each order that is to be charged, from its event until the order is terminal.
create table payments (
    order_id    text primary key references orders,
    event_id    text    not null,
    payload     text    not null,            -- the event as it came, for the dead letter
    correlation text,
    version     integer not null,            -- of the order while it waits for this payment
    attempts    integer not null default 0,  -- begun, less those that were throttled; counted before they begin
    doubt       boolean not null default false, -- an attempt may have had its effect: look before trying again
    claim       text,                        -- who works on it; a token made for each time
    due_at      timestamptz not null default now(), -- nobody works on it before; a claim sets it ahead
    parked      boolean not null default false, -- given up: the dead letter speaks for it, and only late effects are looked for
    looks       integer not null default 0   -- how often that was done
);
create index payments_due on payments (due_at);

-- What could not be done, for people to look at and to put back to work.
create table dead_letters (
    position bigserial unique,
    id       text primary key,
    source   text    not null unique,        -- the event, or the place in the topic of what is no event: one letter each
    event_id text,
    order_id text,
    reason   text    not null,
    payload  text    not null,
    attempts integer not null,
    replayed boolean not null default false
);
create index dead_letters_of_order on dead_letters (order_id) where not replayed;
