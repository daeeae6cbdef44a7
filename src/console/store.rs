//! What the Console remembers: one SQLite file, written by one process.
//!
//! Rows are the truth; whatever is in memory can be rebuilt from them. Secrets are kept as hashes only.

use std::path::Path;

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::model::desired::MAX_DOCUMENT;

mod access_keys;
mod clusters;
mod desired;
mod environments;
mod events;
mod observations;

pub use clusters::ClusterRow;
pub use desired::DesiredRow;
pub use environments::{Chosen, EnvironmentRow, Saved};
pub use events::Event;
pub use observations::ObservationRow;

static MIGRATIONS: Migrator = sqlx::migrate!("src/console/store/migrations");

/// Why something could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the Console's database {path}: is the data folder writable?")]
    Open {
        path: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("cannot bring the Console's database to this version's schema")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("the Console's database failed")]
    Query(#[from] sqlx::Error),
    #[error(
        "the environment would need a desired state of {0} bytes, and {MAX_DOCUMENT} are accepted: make its configuration smaller or delete clusters"
    )]
    TooLarge(usize),
    #[error("the Console's database holds a {what} that cannot be read")]
    Corrupt {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    fn corrupt(
        what: &'static str,
    ) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Corrupt { what, source }
    }
}

/// A handle that is cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the file, creates it if needed, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(10));
        let opened = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
        let pool = opened
            .map_err(|source| StoreError::Open { path: path.display().to_string(), source })?;
        MIGRATIONS.run(&pool).await.map_err(StoreError::Migrate)?;
        Ok(Self { pool })
    }

    /// Begins a transaction that holds the write lock from the start, so that what it read stays true.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// What this database belongs to, such as `account-id`; none before the first start.
    pub async fn fact(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query_scalar("SELECT value FROM console WHERE name = ?").bind(name);
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// Keeps a fact for good: one that is there stays.
    pub async fn set_fact(&self, name: &'static str, value: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO console (name, value) VALUES (?, ?)")
            .bind(name)
            .bind(value)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The hash of the admin key; none before the first start.
    pub async fn admin_key_hash(&self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query_scalar("SELECT value FROM console WHERE name = 'admin-key-hash'")
            .fetch_optional(&self.pool);
        Ok(row.await?)
    }

    /// Keeps the hash of the admin key; replaces an older one.
    pub async fn set_admin_key_hash(&self, hash: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO console (name, value) VALUES ('admin-key-hash', ?)")
            .bind(hash)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}
