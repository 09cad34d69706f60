//! Applying an event, and with it what had waited for it.

use reference_common::store::{StoreError, Transaction};

use super::{Entities, Standing};
use crate::defects::Defect;
use crate::event::Event;

impl Entities {
    /// Applies an event and all that follow it without a gap among those held back. Returns how many these were.
    pub(super) async fn apply(
        &self,
        transaction: &mut Transaction,
        standing: &Standing,
        event: &Event,
    ) -> Result<usize, StoreError> {
        let mut events = vec![event.clone()];
        if standing.waiting {
            events.extend(self.release(transaction, event).await?);
        }
        if self.defects.has(Defect::ReleasedBeforeApplied) && events.len() > 1 {
            // Made by a queue: take the job out, then do it. A process that dies in between has the job in its hands.
            transaction.cut().await?;
        }
        self.write(transaction, standing, &events).await?;
        if self.defects.has(Defect::DedupeInMemory) {
            self.memory().applied(&events);
        }
        Ok(events.len() - 1)
    }

    /// Takes out what was held back behind an event, up to the next gap.
    async fn release(&self, transaction: &mut Transaction, event: &Event) -> Result<Vec<Event>, StoreError> {
        if self.defects.has(Defect::HeldInMemory) {
            return Ok(self.memory().release(event));
        }
        // Those whose distance to the event is their place behind it.
        let sql = "with behind as (
                       select sequence, row_number() over (order by sequence) as place from held
                       where entity = $1 and sequence > $2
                   )
                   delete from held using behind
                   where entity = $1 and held.sequence = behind.sequence and behind.sequence = $2 + behind.place
                   returning held.event, held.sequence, held.amount, held.at";
        let rows: Vec<(String, i64, i64, String)> =
            sqlx::query_as(sql).bind(&event.entity).bind(event.sequence).fetch_all(&mut **transaction).await?;
        let entity = &event.entity;
        let of = |(id, sequence, amount, at)| Event { id, entity: entity.clone(), sequence, amount, at };
        let mut events: Vec<Event> = rows.into_iter().map(of).collect();
        events.sort_by_key(|event| event.sequence);
        Ok(events)
    }

    /// Writes down events that follow each other, and what is to be told of them.
    pub(super) async fn write(
        &self,
        transaction: &mut Transaction,
        standing: &Standing,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let entity = &first.entity;
        let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        let amounts: Vec<i64> = events.iter().map(|event| event.amount).collect();
        // A conflict is for the defects that apply an event again: the rule of the table is what keeps others from it.
        let again = self.defects.has(Defect::NoDedupe) || self.defects.has(Defect::DedupeInMemory);
        let once = "insert into log (entity, sequence, event)
                    select $1, sequence, event from unnest($2::bigint[], $3::text[]) as it(sequence, event)
                    order by sequence";
        let or_not = "insert into log (entity, sequence, event)
                      select $1, sequence, event from unnest($2::bigint[], $3::text[]) as it(sequence, event)
                      order by sequence on conflict do nothing";
        let log = sqlx::query(if again { or_not } else { once }).bind(entity).bind(&sequences).bind(&ids);
        log.execute(&mut **transaction).await?;
        let sql = "insert into outbox (entity, payload)
                   select $1, jsonb_build_object(
                       'event', event, 'entity', $1, 'sequence', sequence, 'amount', amount,
                       'total', $5 + sum(amount) over (order by sequence))
                   from unnest($2::bigint[], $3::text[], $4::bigint[]) as it(sequence, event, amount)
                   order by sequence";
        let outbox = sqlx::query(sql).bind(entity).bind(&sequences).bind(&ids).bind(&amounts).bind(standing.total);
        outbox.execute(&mut **transaction).await?;
        let still_waiting =
            if self.defects.has(Defect::HeldInMemory) { self.memory().holds(entity) } else { standing.waiting };
        // Whoever still waits, waits for another event, and from now on. A total that the database cannot hold is refused.
        let sql = "update entities set sequence = greatest(sequence, $2), latest = greatest(latest, $4),
                       total = (total + (select sum(amount) from unnest($3::bigint[]) as it(amount)))::bigint,
                       waiting_since = case when $5 and ($6 or exists (select from held where entity = $1))
                                            then clock_timestamp() end
                   where entity = $1";
        let update = sqlx::query(sql).bind(entity).bind(last.sequence).bind(&amounts);
        let update = update.bind(&last.at).bind(still_waiting).bind(self.defects.has(Defect::HeldInMemory));
        update.execute(&mut **transaction).await?;
        // Made by writing what shows a gap, and forgetting that gaps end.
        if standing.waiting && !self.defects.has(Defect::GapsStayOpen) {
            let sql = "update gaps set open = false where entity = $1 and sequence between $2 and $3 and open";
            let close = sqlx::query(sql).bind(entity).bind(first.sequence).bind(last.sequence);
            close.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}
