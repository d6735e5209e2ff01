//! Policy: users, tokens and rules as they stand in the files at one moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::store::StoreError;
use crate::auth::tokens::Token;
use crate::auth::users::User;
use crate::auth::{AuthMethod, AuthenticatedUser, Principal, tokens, users};
use crate::catalog::pattern::SourcePattern;
use crate::config::{AccessConfig, HeaderLogin, RuleSpec};

/// The rules that decide about a request or a viewer.
#[derive(Debug)]
pub struct Policy {
    /// Whether authentication is required.
    pub requires_auth: bool,
    /// The header in which a proxy names the user.
    pub header_login: Option<HeaderLogin>,
    /// The lifetime of a browser session.
    pub session_lifetime: Duration,
    has_certificates: bool,
    users: HashMap<String, User>,
    tokens: HashMap<String, (Token, Vec<SourceGlob>)>,
    rules: Vec<AccessRule>,
}

#[derive(Debug)]
struct AccessRule {
    spec: RuleSpec,
    sources: Vec<SourceGlob>,
}

/// A source's name, or a glob of names.
#[derive(Debug)]
pub(super) enum SourceGlob {
    Name(String),
    Pattern(SourcePattern),
}

/// Why the policy cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file of users or tokens.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A glob of a rule or token.
    #[error("{of} may read `{glob}`, which is not a glob of sources: {problem}")]
    Glob {
        /// Whose glob it is.
        of: String,
        /// The text.
        glob: String,
        /// The parser's message.
        problem: String,
    },
}

impl Policy {
    /// Reads the files that `config` names.
    pub fn load(config: &AccessConfig) -> Result<Self, PolicyError> {
        let users = users::list(&config.users_file)?;
        let users = users.into_iter().map(|user| (user.name.clone(), user)).collect();
        let mut by_id = HashMap::new();
        for token in tokens::list(&config.tokens_file)? {
            let globs = globs(&token.sources, || format!("the token {}", token.id))?;
            by_id.insert(token.id.clone(), (token, globs));
        }
        let rules = config.rules.iter().enumerate().map(|(index, spec)| {
            let sources = globs(&spec.sources, || format!("rule {}", index + 1))?;
            Ok(AccessRule { spec: spec.clone(), sources })
        });
        Ok(Policy {
            requires_auth: config.requires_auth(),
            header_login: config.header_login.clone(),
            session_lifetime: config.session_lifetime,
            has_certificates: config.has_certificates,
            users,
            tokens: by_id,
            rules: rules.collect::<Result<_, PolicyError>>()?,
        })
    }

    /// The hash of a user's password.
    #[must_use]
    pub fn hash_of(&self, name: &str) -> Option<Arc<str>> {
        self.users.get(name).map(|user| Arc::clone(&user.hash))
    }

    /// A token by its id.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&Token> {
        self.tokens.get(id).map(|(token, _)| token)
    }

    /// Whether there are users who log in with a password.
    #[must_use]
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether the principal's credentials are still valid.
    #[must_use]
    pub fn admits(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Anyone => !self.requires_auth,
            Principal::Token { id, hash, name: _ } => {
                self.token(id).is_some_and(|token| token.hash == **hash && !token.has_expired())
            }
            Principal::User(AuthenticatedUser { name, method }) => match method {
                AuthMethod::Password { hash } | AuthMethod::Session { digest: _, hash } => {
                    self.users.get(&**name).is_some_and(|user| user.hash == *hash)
                }
                AuthMethod::Header { .. } => self.header_login.is_some(),
                AuthMethod::Certificate => self.has_certificates,
            },
        }
    }

    /// Whether a principal may read a source.
    #[must_use]
    pub fn may_read(&self, principal: &Principal, source: &str) -> bool {
        if !self.admits(principal) {
            return false;
        }
        let reaches = |globs: &[SourceGlob]| globs.iter().any(|glob| glob.matches(source));
        let by_rule = || self.rules_of(principal).any(|rule| reaches(&rule.sources));
        match principal {
            Principal::Anyone => true,
            Principal::User(_) => self.rules.is_empty() || by_rule(),
            Principal::Token { id, .. } => {
                self.tokens.get(id).is_some_and(|(_, globs)| reaches(globs)) || by_rule()
            }
        }
    }

    /// Whether every authenticated principal may read everything.
    pub(super) fn has_no_rules(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names and globs that the rules grant a principal.
    pub(super) fn globs_of<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> impl Iterator<Item = &'a String> {
        self.rules_of(principal).flat_map(|rule| &rule.spec.sources)
    }

    /// Whether a principal may read the metrics.
    #[must_use]
    pub fn may_read_metrics(&self, principal: &Principal) -> bool {
        if !self.admits(principal) {
            return false;
        }
        let by_rule = || self.rules_of(principal).any(|rule| rule.spec.metrics);
        match principal {
            Principal::Anyone => true,
            Principal::User(_) => self.rules.is_empty() || by_rule(),
            Principal::Token { id, .. } => {
                self.token(id).is_some_and(|token| token.metrics) || by_rule()
            }
        }
    }

    fn rules_of<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a AccessRule> {
        self.rules.iter().filter(move |rule| match principal {
            Principal::Anyone => false,
            Principal::Token { id: _, name, hash: _ } => {
                !name.is_empty() && rule.spec.tokens.iter().any(|token| token == name)
            }
            Principal::User(visitor) => {
                let is_named = |name: &String| name == "*" || name.as_str() == &*visitor.name;
                let groups = self.groups_of(visitor);
                rule.spec.users.iter().any(is_named)
                    || rule.spec.groups.iter().any(|group| groups.contains(group))
            }
        })
    }

    /// A user's groups: as they stand in the file now, or as the proxy named them.
    fn groups_of<'a>(&'a self, visitor: &'a AuthenticatedUser) -> &'a [String] {
        match &visitor.method {
            AuthMethod::Header { groups } => groups,
            AuthMethod::Password { .. } | AuthMethod::Session { .. } | AuthMethod::Certificate => {
                self.users.get(&*visitor.name).map_or(&[], |user| user.groups.as_slice())
            }
        }
    }
}

fn globs(texts: &[String], of: impl Fn() -> String) -> Result<Vec<SourceGlob>, PolicyError> {
    let parse = |text: &String| {
        SourceGlob::parse(text).map_err(|problem| {
            let glob = text.clone();
            PolicyError::Glob { of: of(), glob, problem }
        })
    };
    texts.iter().map(parse).collect()
}

impl SourceGlob {
    /// The error says what is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match SourcePattern::parse(text) {
            Ok(Some(pattern)) => Ok(Self::Pattern(pattern)),
            Ok(None) => Ok(Self::Name(text.to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn matches(&self, source: &str) -> bool {
        match self {
            Self::Name(name) => name == source,
            Self::Pattern(pattern) => pattern.matches(source),
        }
    }
}
