//! Access: the catalog as one user or token sees it. Routes get sources from here and from nowhere else:
//! sources that may not be read are invisible, in lists, globs, counts and near names.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use tokio::sync::watch;

use crate::auth::reach::Reach;
use crate::auth::{Auth, AuthMethod, AuthenticatedUser, Principal};
use crate::catalog::left_out::{self, LeftOut};
use crate::catalog::pattern::SourcePattern;
use crate::catalog::{Catalog, Snapshot};
use crate::follower::{Permissions, SourceWatch};
use crate::http::app_state::AppState;
use crate::http::host::Client;
use crate::http::identity;
use crate::http::problem::Problem;
use crate::source::{Source, SourceName};

/// The catalog, shut: only [`CatalogView`] opens it.
#[derive(Clone)]
pub struct GuardedCatalog(Arc<Catalog<dyn Source>>);

/// What one asker may see.
#[derive(Clone)]
pub struct CatalogView {
    who: Principal,
    auth: Arc<Auth>,
    catalog: Arc<Catalog<dyn Source>>,
}

/// What all see who may read the same.
#[derive(Clone)]
pub struct Sight {
    reach: Reach,
    catalog: Arc<Catalog<dyn Source>>,
}

/// What became of a request, kept beside it: none if nobody has looked yet.
struct Judged(Option<Result<CatalogView, Problem>>);

/// Who asks, as a guard of routes: [`LogRequest`](crate::http::log_request::LogRequest) has it, and so has every
/// route that shows anything of a log. A request without a right to come in never reaches them.
#[derive(Clone, Debug)]
pub struct Admitted(pub CatalogView);

impl GuardedCatalog {
    /// Shuts a catalog.
    #[must_use]
    pub fn new(catalog: Arc<Catalog<dyn Source>>) -> Self {
        GuardedCatalog(catalog)
    }

    /// How many sources there are in all, for the operator.
    #[must_use]
    pub fn n_sources(&self) -> usize {
        self.0.snapshot().sources.len()
    }

    /// What was found and is not served, in a sentence; none where there is nothing.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        left_out::summary(&self.0.snapshot().left_out)
    }
}

impl CatalogView {
    /// Who asks.
    #[must_use]
    pub fn who(&self) -> &Principal {
        &self.who
    }

    /// What stands for the asker where places are counted; none where nobody is asked.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        match &self.who {
            Principal::Anyone => None,
            Principal::User(_) | Principal::Token { .. } => Some(self.who.to_string()),
        }
    }

    /// The secret behind the asker is that of a login in a browser.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(
            &self.who,
            Principal::User(AuthenticatedUser { name: _, way: AuthMethod::Session { .. } })
        )
    }

    /// Whether the asker may still come in.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.auth.admits(&self.who)
    }

    /// Whether the asker may read how the server is.
    #[must_use]
    pub fn may_read_metrics(&self) -> bool {
        self.auth.admits(&self.who) && self.auth.policy().may_read_metrics(&self.who)
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
    pub fn left_out(&self) -> Vec<LeftOut> {
        let snapshot = self.catalog.snapshot();
        let may_know = |left_out: &&LeftOut| self.may_read(&left_out.name.as_str().into());
        snapshot.left_out.iter().filter(may_know).cloned().collect()
    }

    /// Up to three names near to one that nobody has.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<SourceName> {
        self.catalog.near(name, |name| self.may_read(name))
    }

    /// A version that grows with each change of the list.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.catalog.subscribe()
    }

    /// Tells of sources that appear later and that the asker may read.
    #[must_use]
    pub fn source_watch(&self, pattern: SourcePattern) -> SourceWatch {
        let access = self.clone();
        SourceWatch {
            changes: self.catalog.subscribe(),
            list: Box::new(move || access.matching(&pattern)),
        }
    }

    /// Tells a viewer when it has lost its right.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let access = self.clone();
        Permissions {
            changes: self.auth.changes(),
            may_read: Box::new(move |source| access.may_read(source)),
        }
    }

    /// What the asker may read now, for what is shared with others who may read the same; none who may
    /// not come in any more.
    #[must_use]
    pub fn sight(&self) -> Option<Sight> {
        let reach = self.auth.policy().reach(&self.who).filter(|_| self.is_valid())?;
        Some(Sight { reach, catalog: Arc::clone(&self.catalog) })
    }

    /// Asked anew each time: rights may change while somebody looks.
    fn may_read(&self, source: &SourceName) -> bool {
        self.auth.admits(&self.who) && self.auth.policy().may_read(&self.who, source.as_str())
    }
}

impl Sight {
    /// What may be read.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The version of the list. Ask for it before the sources.
    #[must_use]
    pub fn version(&self) -> u64 {
        *self.catalog.subscribe().borrow()
    }

    /// The sources, sorted by name.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        let (snapshot, matches) = (self.catalog.snapshot(), self.reach.matcher());
        let all = snapshot.sources.values().filter(|source| matches(source.name().as_str()));
        all.map(Arc::clone).collect()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admitted {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let Some(site) = request.rocket().state::<AppState>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        let judged = request.local_cache_async(async {
            let client = Client::of(request, &site.network);
            let (auth, catalog) = (Arc::clone(&site.auth), Arc::clone(&site.shelf.0));
            let identified = identity::identify(request, site, &client).await;
            Judged(Some(identified.map(|who| CatalogView { who, auth, catalog })))
        });
        match &judged.await.0 {
            Some(Ok(access)) => Outcome::Success(Admitted(access.clone())),
            // The catcher tells the problem.
            Some(Err(problem)) => Outcome::Forward(problem.status()),
            None => Outcome::Forward(Status::Unauthorized),
        }
    }
}

/// Why the request was not let in.
#[must_use]
pub fn refusal<'r>(request: &'r Request<'_>) -> Option<&'r Problem> {
    let judged = request.local_cache(|| Judged(None)).0.as_ref()?;
    judged.as_ref().err()
}

impl fmt::Debug for GuardedCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sight").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl fmt::Debug for CatalogView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("who", &self.who).finish_non_exhaustive()
    }
}
