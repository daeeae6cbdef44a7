//! Access keys of agents: hashes. The one with the environment's epoch is valid, older ones are not.

use subtle::ConstantTimeEq as _;

use super::{Store, StoreError};

impl Store {
    /// Keeps the hash of a new access key, which replaces those before it. Returns its epoch.
    pub async fn rotate_access_key(
        &self,
        id: &str,
        hash: &str,
        now: i64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let epoch: i64 = sqlx::query_scalar(
            "UPDATE environments SET epoch = epoch + 1, bootstrapped = 1 WHERE id = ? RETURNING epoch",
        )
        .bind(id)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO access_keys (environment, epoch, hash, created_at) VALUES (?, ?, ?, ?)",
        )
        .bind(id)
        .bind(epoch)
        .bind(hash)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        // Two are enough: the one in use until the new one is installed, and the new one.
        sqlx::query(
            "DELETE FROM access_keys WHERE environment = ?1 AND epoch < ?2 AND (used_at IS NULL OR \
             epoch < (SELECT max(epoch) FROM access_keys WHERE environment = ?1 AND used_at > 0))",
        )
        .bind(id)
        .bind(epoch)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(epoch.unsigned_abs())
    }

    /// The epoch of this key if it is the environment's valid one; notes its use. A wrong key writes
    /// nothing, so that whoever guesses keeps nobody from writing.
    pub async fn use_access_key(
        &self,
        id: &str,
        hash: &str,
        now: i64,
    ) -> Result<Option<u64>, StoreError> {
        let stored: Option<(i64, String)> = sqlx::query_as(
            "SELECT k.epoch, k.hash FROM access_keys k JOIN environments e \
             ON e.id = k.environment AND e.epoch = k.epoch WHERE e.id = ?",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let Some((epoch, stored)) = stored else { return Ok(None) };
        if !bool::from(stored.as_bytes().ct_eq(hash.as_bytes())) {
            return Ok(None);
        }
        sqlx::query("UPDATE access_keys SET used_at = ?3 WHERE environment = ?1 AND epoch = ?2")
            .bind(id)
            .bind(epoch)
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(Some(epoch.unsigned_abs()))
    }

    /// The hash of the key that the agent last authenticated with, else of the newest.
    pub async fn shown_access_key(&self, id: &str) -> Result<Option<String>, StoreError> {
        let hash = sqlx::query_scalar(
            "SELECT hash FROM access_keys WHERE environment = ? \
             ORDER BY used_at IS NULL, used_at DESC, epoch DESC LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&self.pool);
        Ok(hash.await?)
    }

    /// The epoch of each environment.
    pub async fn epochs(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT id, epoch FROM environments").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id, epoch)| (id, epoch.unsigned_abs())).collect())
    }
}
