//! The newest observation of each environment, and a bounded record of its telemetry.

use prost::Message as _;
use sqlx::Row as _;

use super::{Store, StoreError};
use crate::proto::pinnace::agent::v1::Observed;

/// Telemetry records that are kept per environment and kind.
const TELEMETRY_KEPT: i64 = 500;

/// What the agent saw, and when that was stored (seconds since 1970).
#[derive(Clone, Debug)]
pub struct ObservationRow {
    pub observed: Observed,
    pub at: i64,
}

impl Store {
    pub async fn observation(&self, id: &str) -> Result<Option<ObservationRow>, StoreError> {
        let row = sqlx::query("SELECT observed, at FROM observations WHERE environment = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let bytes: &[u8] = row.try_get("observed")?;
        let observed =
            Observed::decode(bytes).map_err(|e| StoreError::corrupt("observation")(e.into()))?;
        Ok(Some(ObservationRow { observed, at: row.try_get("at")? }))
    }

    /// Replaces the observation: the newest one wins.
    pub async fn set_observation(
        &self,
        id: &str,
        observed: &Observed,
        at: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT OR REPLACE INTO observations (environment, observed, at) VALUES (?, ?, ?)",
        )
        .bind(id)
        .bind(observed.encode_to_vec())
        .bind(at)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE environments SET last_seen = ?2 WHERE id = ?1")
            .bind(id)
            .bind(at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds a record of telemetry, and drops the oldest above the bound.
    pub async fn add_telemetry(
        &self,
        id: &str,
        kind: &'static str,
        document: &str,
        at: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO telemetry (environment, at, kind, document) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(at)
            .bind(kind)
            .bind(document)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM telemetry WHERE environment = ?1 AND kind = ?2 AND id <= (SELECT id FROM \
             telemetry WHERE environment = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
        )
        .bind(id)
        .bind(kind)
        .bind(TELEMETRY_KEPT)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest records of one kind, as JSON, newest first.
    pub async fn telemetry(
        &self,
        id: &str,
        kind: &'static str,
        limit: i64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT at, document FROM telemetry WHERE environment = ? AND kind = ? \
             ORDER BY id DESC LIMIT ?",
        )
        .bind(id)
        .bind(kind)
        .bind(limit);
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
