//! What a request wants to do, in the words of the token specification.

/// What is done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access<'a> {
    Pull,
    /// Write, and read what is there already.
    Push,
    /// Write, with a blob taken over from another repository of the registry.
    Mount {
        from: &'a str,
    },
    Delete,
    /// List the repositories of the registry.
    Catalog,
}

impl Access<'_> {
    /// Scopes, separated by spaces.
    pub(super) fn scopes(self, repository: &str) -> String {
        match self {
            Self::Pull => format!("repository:{repository}:pull"),
            Self::Push => format!("repository:{repository}:pull,push"),
            Self::Mount { from } if from == repository => Self::Push.scopes(repository),
            Self::Mount { from } => {
                format!("repository:{repository}:pull,push repository:{from}:pull")
            }
            Self::Delete => format!("repository:{repository}:pull,delete"),
            Self::Catalog => "registry:catalog:*".to_owned(),
        }
    }

    /// For an error: "does not let this user … it".
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Pull => "read",
            Self::Push | Self::Mount { .. } => "write",
            Self::Delete => "delete",
            Self::Catalog => "list the repositories beside",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        assert_eq!(Access::Pull.scopes("a/b"), "repository:a/b:pull");
        assert_eq!(Access::Mount { from: "a" }.scopes("a"), "repository:a:pull,push");
        let mounted = Access::Mount { from: "c" }.scopes("a");
        assert_eq!(mounted, "repository:a:pull,push repository:c:pull");
    }
}
