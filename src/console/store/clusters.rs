//! Database clusters. A deleted one stays until the agent reports that it is gone.

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Store, StoreError};
use crate::proto::qdrant::cloud::cluster::v1::Cluster;

/// A cluster as stored. `document.state` is always unset.
#[derive(Clone, Debug)]
pub struct ClusterRow {
    pub document: Cluster,
    /// The stored generation that first says that it should go.
    pub deleted_in: Option<u64>,
}

fn read(row: &SqliteRow) -> Result<ClusterRow, StoreError> {
    let text: &str = row.try_get("document")?;
    let document =
        serde_json::from_str(text).map_err(|e| StoreError::corrupt("cluster")(e.into()))?;
    let deleted_in: Option<i64> = row.try_get("deleted_in")?;
    Ok(ClusterRow { document, deleted_in: deleted_in.map(i64::unsigned_abs) })
}

impl Store {
    /// All clusters, oldest first; of one environment if given.
    pub async fn clusters(&self, environment: Option<&str>) -> Result<Vec<ClusterRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT document, deleted_in FROM clusters WHERE ?1 IS NULL OR environment = ?1 \
             ORDER BY created_at, id",
        )
        .bind(environment);
        rows.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    pub async fn cluster(&self, id: &str) -> Result<Option<ClusterRow>, StoreError> {
        let row = sqlx::query("SELECT document, deleted_in FROM clusters WHERE id = ?").bind(id);
        row.fetch_optional(&self.pool).await?.as_ref().map(read).transpose()
    }

    pub async fn add_cluster(&self, cluster: &Cluster, now: i64) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(cluster).map_err(|e| StoreError::corrupt("cluster")(e.into()))?;
        sqlx::query(
            "INSERT INTO clusters (id, environment, document, created_at) VALUES (?, ?, ?, ?)",
        )
        .bind(&cluster.id)
        .bind(&cluster.cloud_provider_region_id)
        .bind(text)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Replaces a cluster's document with one that has `deleted_at`. The generation that says so is
    /// set where that document is stored.
    pub async fn mark_cluster_deleted(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(cluster).map_err(|e| StoreError::corrupt("cluster")(e.into()))?;
        sqlx::query("UPDATE clusters SET document = ?2 WHERE id = ?1")
            .bind(&cluster.id)
            .bind(text)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a cluster.
    pub async fn remove_cluster(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM clusters WHERE id = ?").bind(id);
        Ok(done.execute(&self.pool).await?.rows_affected() == 1)
    }
}
