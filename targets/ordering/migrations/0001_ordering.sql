-- Entities, the events that were applied to them, and those that wait. Amounts are integers in minor units.

-- Every change of an entity, of its log and of what it holds back is made under the lock of its row here.
create table entities (
    entity        text primary key,
    sequence      bigint not null default 0, -- of the last event that was applied
    total         bigint not null default 0, -- of all that were
    waiting_since timestamptz,               -- something is held back, and nothing was applied since then
    latest        text   not null default '' -- the latest timestamp that an event had; for the defect that goes by it
);

-- What was applied, in its order. Positions of one entity rise with its sequences, because they are drawn under its lock.
create table log (
    position bigserial primary key,
    entity   text   not null references entities,
    sequence bigint not null,
    event    text   not null
);
create unique index log_once on log (entity, sequence);

-- Events that came before one that precedes them.
create table held (
    entity   text   not null references entities,
    sequence bigint not null,
    event    text   not null,
    amount   bigint not null,
    at       text   not null,
    primary key (entity, sequence)
);

-- Events that did not come though later ones did, for people to look at. Closed when they come after all.
create table gaps (
    position bigserial unique,
    entity   text    not null references entities,
    sequence bigint  not null,
    open     boolean not null default true,
    primary key (entity, sequence)
);

-- Records that nobody can apply, and why.
create table letters (
    place   text primary key,                -- topic, partition and offset
    payload text not null,
    reason  text not null
);

-- What is to be told, written in the transaction that it tells of.
create table outbox (
    position bigserial primary key,
    entity   text  not null,                 -- the record's key, and so its partition
    payload  jsonb not null,
    sent_at  timestamptz
);
create index outbox_unsent on outbox (position) where sent_at is null;
