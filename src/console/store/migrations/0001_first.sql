CREATE TABLE console (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE environments (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    namespace        TEXT NOT NULL UNIQUE,
    document         TEXT NOT NULL,               -- HybridCloudEnvironment as JSON, without status
    bootstrapped     INTEGER NOT NULL DEFAULT 0,
    epoch            INTEGER NOT NULL DEFAULT 0,  -- of the only access key that is valid
    agent_version    TEXT,
    agent_digest     TEXT,
    operator_version TEXT,
    operator_digest  TEXT,
    last_seen        INTEGER                      -- seconds since 1970, written in batches
) STRICT;

CREATE TABLE access_keys (
    environment TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    epoch       INTEGER NOT NULL,
    hash        TEXT NOT NULL UNIQUE,             -- hex SHA-256 of the whole key
    created_at  INTEGER NOT NULL,
    used_at     INTEGER,
    PRIMARY KEY (environment, epoch)
) STRICT;

CREATE TABLE desired (
    environment TEXT PRIMARY KEY REFERENCES environments (id) ON DELETE CASCADE,
    generation  INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    document    BLOB NOT NULL,
    signature   BLOB NOT NULL,
    accepted    INTEGER NOT NULL DEFAULT 0,       -- newest generation that the agent answered to
    refusal     TEXT NOT NULL DEFAULT ''          -- why it refused that one
) STRICT;

CREATE TABLE observations (
    environment TEXT PRIMARY KEY REFERENCES environments (id) ON DELETE CASCADE,
    observed    BLOB NOT NULL,                    -- pinnace.agent.v1.Observed
    at          INTEGER NOT NULL
) STRICT;

CREATE TABLE clusters (
    id          TEXT PRIMARY KEY,
    environment TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    document    TEXT NOT NULL,                    -- Cluster as JSON, without state
    deleted_in  INTEGER,                          -- generation that first says that it should go
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX clusters_environment ON clusters (environment);

CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    message     TEXT NOT NULL
) STRICT;
CREATE INDEX events_environment ON events (environment, id);

CREATE TABLE telemetry (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    document    TEXT NOT NULL
) STRICT;
CREATE INDEX telemetry_environment ON telemetry (environment, kind, id);
