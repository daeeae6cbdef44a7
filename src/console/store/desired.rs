//! The signed document of each environment, and the agent's answer to it.

use super::{Store, StoreError};
use crate::model::desired::{ClusterWant, Desired, SignedDesired};

/// The newest document.
#[derive(Clone, Debug)]
pub struct DesiredRow {
    pub generation: u64,
    pub digest: String,
    pub signed: SignedDesired,
    /// The newest generation that the agent answered to; 0 for none.
    pub accepted: u64,
    /// Why it refused that one; empty if it did not.
    pub refusal: String,
}

type Columns = (i64, String, Vec<u8>, Vec<u8>, i64, String);

impl DesiredRow {
    /// What the document says.
    pub fn parse(&self) -> Result<Desired, StoreError> {
        serde_json::from_slice(&self.signed.document)
            .map_err(|e| StoreError::corrupt("desired state")(e.into()))
    }
}

impl Store {
    pub async fn desired(&self, id: &str) -> Result<Option<DesiredRow>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT generation, digest, document, signature, accepted, refusal FROM desired \
             WHERE environment = ?",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let Some((generation, digest, document, signature, accepted, refusal)) = row else {
            return Ok(None);
        };
        let signature = <[u8; 64]>::try_from(signature.as_slice())
            .map_err(|e| StoreError::corrupt("signature")(e.into()))?;
        Ok(Some(DesiredRow {
            generation: generation.unsigned_abs(),
            digest,
            signed: SignedDesired { document, signature },
            accepted: accepted.unsigned_abs(),
            refusal,
        }))
    }

    /// Keeps a document if its generation is newer than the one that is there. The answer to the one
    /// before goes, and clusters whose deletion it is the first to say are marked with it.
    pub async fn set_desired(
        &self,
        desired: &Desired,
        signed: &SignedDesired,
    ) -> Result<bool, StoreError> {
        let generation = desired.generation.cast_signed();
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO desired (environment, generation, digest, document, signature) \
             VALUES (?, ?, ?, ?, ?) ON CONFLICT (environment) DO UPDATE SET \
             generation = excluded.generation, digest = excluded.digest, \
             document = excluded.document, signature = excluded.signature, refusal = '' \
             WHERE excluded.generation > desired.generation",
        )
        .bind(&desired.environment)
        .bind(generation)
        .bind(signed.digest().as_str())
        .bind(&signed.document)
        .bind(signed.signature.as_slice())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        for (id, want) in &desired.clusters {
            if *want == ClusterWant::Deleted {
                sqlx::query(
                    "UPDATE clusters SET deleted_in = ?2 WHERE id = ?1 AND deleted_in IS NULL",
                )
                .bind(id)
                .bind(generation)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Notes the agent's answer to the present document; an empty refusal means that it accepted.
    /// False: there is a newer document, and the answer says nothing about that one.
    pub async fn set_accepted(
        &self,
        id: &str,
        generation: u64,
        refusal: &str,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE desired SET accepted = ?2, refusal = ?3 \
             WHERE environment = ?1 AND generation = ?2",
        )
        .bind(id)
        .bind(generation.cast_signed())
        .bind(refusal)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
