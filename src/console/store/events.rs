//! What happened to an environment: who asked for what, and what the agent reported about it.

use super::{Store, StoreError};

/// Events that are kept per environment.
const KEPT: i64 = 500;

/// One line of the timeline.
#[derive(Clone, Debug, sqlx::FromRow, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970.
    pub at: i64,
    /// Short and static, such as `created` or `upgrade-failed`.
    pub kind: String,
    pub message: String,
}

impl Store {
    /// Adds an event, and drops the oldest above the bound.
    pub async fn add_event(
        &self,
        id: &str,
        at: i64,
        kind: &'static str,
        message: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO events (environment, at, kind, message) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(at)
            .bind(kind)
            .bind(message)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM events WHERE environment = ?1 AND id <= (SELECT id FROM events \
             WHERE environment = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(id)
        .bind(KEPT)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest events, newest first.
    pub async fn events(&self, id: &str, limit: i64) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT at, kind, message FROM events WHERE environment = ? ORDER BY id DESC LIMIT ?",
        )
        .bind(id)
        .bind(limit);
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
