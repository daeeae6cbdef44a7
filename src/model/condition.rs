//! Condition types and reasons, in one place. They are Flux's (helm-controller `api/v2/condition_types.go`).

pub const READY: &str = "Ready";
pub const RELEASED: &str = "Released";
pub const RECONCILING: &str = "Reconciling";
pub const STALLED: &str = "Stalled";
pub const REMEDIATED: &str = "Remediated";
pub const TEST_SUCCESS: &str = "TestSuccess";
pub const DRIFTED: &str = "Drifted";
/// Of sources: what was fetched is at hand.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// Of sources: nothing could be fetched.
pub const FETCH_FAILED: &str = "FetchFailed";
/// Of sources: whether the artifact is signed as is asked for; not there if nobody asks.
pub const SOURCE_VERIFIED: &str = "SourceVerified";

/// Why a condition has the status it has: short, static, fit for a metric label.
pub mod reason {
    pub const INSTALL_SUCCEEDED: &str = "InstallSucceeded";
    pub const INSTALL_FAILED: &str = "InstallFailed";
    pub const UPGRADE_SUCCEEDED: &str = "UpgradeSucceeded";
    pub const UPGRADE_FAILED: &str = "UpgradeFailed";
    pub const ROLLBACK_SUCCEEDED: &str = "RollbackSucceeded";
    pub const ROLLBACK_FAILED: &str = "RollbackFailed";
    pub const UNINSTALL_SUCCEEDED: &str = "UninstallSucceeded";
    pub const UNINSTALL_FAILED: &str = "UninstallFailed";
    pub const TEST_SUCCEEDED: &str = "TestSucceeded";
    pub const TEST_FAILED: &str = "TestFailed";
    pub const AWAITING_TESTS: &str = "AwaitingTests";
    /// Another cluster cannot be used, or not as the account that is named.
    pub const REST_CLIENT_ERROR: &str = "RESTClientError";
    pub const ARTIFACT_FAILED: &str = "ArtifactFailed";
    /// The chart's version cannot be told apart by its digest.
    pub const CHART_MUTATE_ERROR: &str = "ChartMutateError";
    pub const SOURCE_NOT_READY: &str = "SourceNotReady";
    pub const VALUES_ERROR: &str = "ValuesError";
    pub const PENDING_RELEASE: &str = "PendingRelease";
    pub const PROGRESSING: &str = "Progressing";
    pub const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
    pub const RETRIES_EXCEEDED: &str = "RetriesExceeded";
    pub const MISSING_ROLLBACK_TARGET: &str = "MissingRollbackTarget";
    pub const STATE_ERROR: &str = "StateError";
    pub const RECONCILE_ERROR: &str = "ReconcileError";
    pub const DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
    pub const DRIFT_DETECTED: &str = "DriftDetected";
    pub const DRIFT_CORRECTED: &str = "DriftCorrected";
    pub const DRIFT_CORRECTION_FAILED: &str = "DriftCorrectionFailed";
    pub const INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";
    /// Ours: the object asks for something that this version does not do yet.
    pub const UNSUPPORTED: &str = "Unsupported";
}
