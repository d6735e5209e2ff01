//! Access: the catalog as one user or token sees it. Routes get sources from here and from nowhere else:
//! sources that may not be read are invisible, in lists, globs, counts and near names.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use tokio::sync::watch;

use crate::auth::readable::ReadableSources;
use crate::auth::{Auth, AuthMethod, AuthenticatedUser, Principal};
use crate::catalog::pattern::SourcePattern;
use crate::catalog::skipped::{self, SkippedEntry};
use crate::catalog::{Catalog, Snapshot};
use crate::follower::{Permissions, SourceWatch};
use crate::http::app_state::AppState;
use crate::http::host::ClientAddress;
use crate::http::identity;
use crate::http::problem::Problem;
use crate::source::{Source, SourceName};

/// The catalog behind a private field: only [`CatalogView`] reads it.
#[derive(Clone)]
pub struct GuardedCatalog(Arc<Catalog<dyn Source>>);

/// The catalog as one principal may see it.
#[derive(Clone)]
pub struct CatalogView {
    principal: Principal,
    auth: Arc<Auth>,
    catalog: Arc<Catalog<dyn Source>>,
}

/// The catalog as all principals with the same permissions see it.
#[derive(Clone)]
pub struct SharedView {
    readable: ReadableSources,
    catalog: Arc<Catalog<dyn Source>>,
}

/// The result of authentication, cached with the request; `None` before it ran.
struct AuthOutcome(Option<Result<CatalogView, Problem>>);

/// The request guard that authenticates. [`LogRequest`](crate::http::log_request::LogRequest) has
/// it, and so has every route that shows anything of a log; an unauthenticated request never
/// reaches them.
#[derive(Clone, Debug)]
pub struct Admitted(pub CatalogView);

impl GuardedCatalog {
    /// Guards a catalog.
    #[must_use]
    pub fn new(catalog: Arc<Catalog<dyn Source>>) -> Self {
        GuardedCatalog(catalog)
    }

    /// The number of all sources, for the operator's log.
    #[must_use]
    pub fn n_sources(&self) -> usize {
        self.0.snapshot().sources.len()
    }

    /// A summary of what was found and is not served; `None` if there is nothing.
    #[must_use]
    pub fn skipped(&self) -> Option<String> {
        skipped::summary(&self.0.snapshot().skipped)
    }
}

impl CatalogView {
    /// The principal of this view.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The name under which the principal's viewers are counted; `None` without authentication.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        match &self.principal {
            Principal::Anyone => None,
            Principal::User(_) | Principal::Token { .. } => Some(self.principal.to_string()),
        }
    }

    /// Whether the principal is authenticated by a browser login.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(
            &self.principal,
            Principal::User(AuthenticatedUser { name: _, method: AuthMethod::Session { .. } })
        )
    }

    /// Whether the principal is still valid.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.auth.admits(&self.principal)
    }

    /// Whether the principal may read the metrics.
    #[must_use]
    pub fn may_read_metrics(&self) -> bool {
        self.auth.admits(&self.principal) && self.auth.policy().may_read_metrics(&self.principal)
    }

    /// The source of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn Source>> {
        self.catalog.get(name).filter(|source| self.may_read(source.name()))
    }

    /// The sources whose names fit a pattern, sorted by name.
    #[must_use]
    pub fn matching(&self, pattern: &SourcePattern) -> Vec<Arc<dyn Source>> {
        let mut sources = self.catalog.matching(pattern);
        sources.retain(|source| self.may_read(source.name()));
        sources
    }

    /// All sources, sorted by name.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        let snapshot: Arc<Snapshot<dyn Source>> = self.catalog.snapshot();
        let all = snapshot.sources.values().filter(|source| self.may_read(source.name()));
        all.map(Arc::clone).collect()
    }

    /// What was found and is not served.
    #[must_use]
    pub fn skipped(&self) -> Vec<SkippedEntry> {
        let snapshot = self.catalog.snapshot();
        let may_know = |skipped: &&SkippedEntry| self.may_read(&skipped.name.as_str().into());
        snapshot.skipped.iter().filter(may_know).cloned().collect()
    }

    /// Up to three similar names for one that does not exist.
    #[must_use]
    pub fn suggest(&self, name: &str) -> Vec<SourceName> {
        self.catalog.suggest(name, |name| self.may_read(name))
    }

    /// A version that grows with each change of the list.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.catalog.subscribe()
    }

    /// A watch that reports sources which appear later and which the principal may read.
    #[must_use]
    pub fn source_watch(&self, pattern: SourcePattern) -> SourceWatch {
        let access = self.clone();
        SourceWatch {
            changes: self.catalog.subscribe(),
            list: Box::new(move || access.matching(&pattern)),
        }
    }

    /// Lets a viewer notice when a permission is revoked.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let access = self.clone();
        Permissions {
            changes: self.auth.changes(),
            may_read: Box::new(move |source| access.may_read(source)),
        }
    }

    /// What the principal may read now, as shared with others of the same permissions; `None` if it
    /// is no longer valid.
    #[must_use]
    pub fn shared_view(&self) -> Option<SharedView> {
        let readable = self.auth.policy().readable(&self.principal).filter(|_| self.is_valid())?;
        Some(SharedView { readable, catalog: Arc::clone(&self.catalog) })
    }

    /// Evaluated on every call: permissions may change during a stream.
    fn may_read(&self, source: &SourceName) -> bool {
        self.auth.admits(&self.principal)
            && self.auth.policy().may_read(&self.principal, source.as_str())
    }
}

impl SharedView {
    /// What may be read.
    #[must_use]
    pub fn readable(&self) -> &ReadableSources {
        &self.readable
    }

    /// The version of the list. Read it before the sources.
    #[must_use]
    pub fn version(&self) -> u64 {
        *self.catalog.subscribe().borrow()
    }

    /// The sources, sorted by name.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        let (snapshot, matches) = (self.catalog.snapshot(), self.readable.matcher());
        let all = snapshot.sources.values().filter(|source| matches(source.name().as_str()));
        all.map(Arc::clone).collect()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admitted {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let Some(app) = request.rocket().state::<AppState>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        let outcome = request.local_cache_async(async {
            let client = ClientAddress::of(request, &app.network);
            let (auth, catalog) = (Arc::clone(&app.auth), Arc::clone(&app.catalog.0));
            let identified = identity::identify(request, app, &client).await;
            AuthOutcome(Some(identified.map(|principal| CatalogView { principal, auth, catalog })))
        });
        match &outcome.await.0 {
            Some(Ok(access)) => Outcome::Success(Admitted(access.clone())),
            // The catcher sends the problem.
            Some(Err(problem)) => Outcome::Forward(problem.status()),
            None => Outcome::Forward(Status::Unauthorized),
        }
    }
}

/// Why authentication of the request failed.
#[must_use]
pub fn refusal<'r>(request: &'r Request<'_>) -> Option<&'r Problem> {
    let outcome = request.local_cache(|| AuthOutcome(None)).0.as_ref()?;
    outcome.as_ref().err()
}

impl fmt::Debug for GuardedCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedCatalog")
    }
}

impl fmt::Debug for SharedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedView").field("readable", &self.readable).finish_non_exhaustive()
    }
}

impl fmt::Debug for CatalogView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogView").field("principal", &self.principal).finish_non_exhaustive()
    }
}
