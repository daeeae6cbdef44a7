//! Environments: the document that people edit, and what was chosen for them to run.

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Store, StoreError};
use crate::{
    model::digest::Digest, proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironment as Environment,
};

/// An environment as stored. `document.status` is always unset.
#[derive(Clone, Debug)]
pub struct EnvironmentRow {
    pub document: Environment,
    pub agent: Option<Chosen>,
    pub operator: Option<Chosen>,
    /// When the agent was last heard of, in seconds since 1970, as of the last time it was written.
    pub last_seen: Option<i64>,
}

/// A version, and the digest of its chart's manifest as of the moment it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub version: semver::Version,
    pub digest: Digest,
}

/// Whether a document was kept, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    Done,
    NameTaken,
    /// By the environment of this name.
    NamespaceTaken(String),
    NotFound,
}

const COLUMNS: &str = "SELECT document, bootstrapped, agent_version, agent_digest, operator_version, \
                       operator_digest, last_seen FROM environments";

fn read(row: &SqliteRow) -> Result<EnvironmentRow, StoreError> {
    let text: &str = row.try_get("document")?;
    let mut document: Environment =
        serde_json::from_str(text).map_err(|e| StoreError::corrupt("environment")(e.into()))?;
    document.bootstrap_commands_generated = row.try_get("bootstrapped")?;
    let chosen = |version: &str, digest: &str| -> Result<Option<Chosen>, StoreError> {
        let version: Option<&str> = row.try_get(version)?;
        let digest: Option<&str> = row.try_get(digest)?;
        let (Some(version), Some(digest)) = (version, digest) else { return Ok(None) };
        Ok(Some(Chosen {
            version: version
                .parse()
                .map_err(|e: semver::Error| StoreError::corrupt("version")(e.into()))?,
            digest: Digest::try_from(digest.to_owned())
                .map_err(|e| StoreError::corrupt("digest")(e.into()))?,
        }))
    };
    Ok(EnvironmentRow {
        document,
        agent: chosen("agent_version", "agent_digest")?,
        operator: chosen("operator_version", "operator_digest")?,
        last_seen: row.try_get("last_seen")?,
    })
}

impl Store {
    /// All environments by name.
    pub async fn environments(&self) -> Result<Vec<EnvironmentRow>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name"));
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    pub async fn environment(&self, id: &str) -> Result<Option<EnvironmentRow>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?"));
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// Adds (`new`) or replaces a document; name and namespace are each used once.
    pub async fn save_environment(
        &self,
        document: &Environment,
        new: bool,
    ) -> Result<Saved, StoreError> {
        let namespace =
            document.configuration.as_ref().map(|c| c.namespace.as_str()).unwrap_or_default();
        let text = serde_json::to_string(document)
            .map_err(|e| StoreError::corrupt("environment")(e.into()))?;
        let mut tx = self.write().await?;
        let others = sqlx::query("SELECT name, namespace FROM environments WHERE id <> ?1 AND (name = ?2 OR namespace = ?3)")
            .bind(&document.id)
            .bind(&document.name)
            .bind(namespace)
            .fetch_all(&mut *tx)
            .await?;
        let mut other_names = Vec::new();
        for other in &others {
            other_names.push(other.try_get::<String, _>("name")?);
        }
        if other_names.contains(&document.name) {
            return Ok(Saved::NameTaken);
        }
        if let Some(name) = other_names.pop() {
            return Ok(Saved::NamespaceTaken(name));
        }
        let sql = if new {
            "INSERT INTO environments (id, name, namespace, document) VALUES (?1, ?2, ?3, ?4)"
        } else {
            "UPDATE environments SET name = ?2, namespace = ?3, document = ?4 WHERE id = ?1"
        };
        let done = sqlx::query(sql)
            .bind(&document.id)
            .bind(&document.name)
            .bind(namespace)
            .bind(text)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(if done.rows_affected() == 1 { Saved::Done } else { Saved::NotFound })
    }

    /// Removes an environment that has no clusters, and all that belongs to it.
    pub async fn delete_environment(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM environments WHERE id = ?1 \
             AND NOT EXISTS (SELECT 1 FROM clusters WHERE environment = ?1)",
        )
        .bind(id);
        Ok(done.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Chooses versions where none is chosen yet.
    pub async fn choose_if_unset(
        &self,
        id: &str,
        agent: &Chosen,
        operator: &Chosen,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE environments SET agent_version = coalesce(agent_version, ?2), \
             agent_digest = coalesce(agent_digest, ?3), \
             operator_version = coalesce(operator_version, ?4), \
             operator_digest = coalesce(operator_digest, ?5) WHERE id = ?1",
        )
        .bind(id)
        .bind(agent.version.to_string())
        .bind(agent.digest.to_string())
        .bind(operator.version.to_string())
        .bind(operator.digest.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Chooses versions; `None` leaves a choice as it is.
    pub async fn choose(
        &self,
        id: &str,
        agent: Option<&Chosen>,
        operator: Option<&Chosen>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE environments SET agent_version = coalesce(?2, agent_version), \
             agent_digest = coalesce(?3, agent_digest), \
             operator_version = coalesce(?4, operator_version), \
             operator_digest = coalesce(?5, operator_digest) WHERE id = ?1",
        )
        .bind(id)
        .bind(agent.map(|c| c.version.to_string()))
        .bind(agent.map(|c| c.digest.to_string()))
        .bind(operator.map(|c| c.version.to_string()))
        .bind(operator.map(|c| c.digest.to_string()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes when an agent was last heard of.
    pub async fn set_last_seen(&self, id: &str, at: i64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE environments SET last_seen = max(?2, coalesce(last_seen, 0)) WHERE id = ?1",
        )
        .bind(id)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
