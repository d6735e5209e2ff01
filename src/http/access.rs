//! Access: the catalog as one asker sees it. Routes get sources from here and from nowhere else:
//! what somebody may not read does not exist for them, neither in lists nor in globs, counts or
//! near names.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use tokio::sync::watch;

use crate::auth::{Auth, Visitor, Way, Who};
use crate::catalog::left_out::{self, LeftOut};
use crate::catalog::pattern::SourcePattern;
use crate::catalog::{Catalog, Snapshot};
use crate::follower::{Rights, Roster};
use crate::http::host::Client;
use crate::http::identity;
use crate::http::problem::Problem;
use crate::http::site::Site;
use crate::source::{Source, SourceName};

/// The catalog, shut: only [`Access`] opens it.
#[derive(Clone)]
pub struct Shelf(Arc<Catalog<dyn Source>>);

/// What one asker may see.
#[derive(Clone)]
pub struct Access {
    who: Who,
    auth: Arc<Auth>,
    catalog: Arc<Catalog<dyn Source>>,
}

/// What became of a request, kept beside it: none if nobody has looked yet.
struct Judged(Option<Result<Access, Problem>>);

/// Who asks, as a guard of routes: [`Asked`](crate::http::asked::Asked) has it, and so has every
/// route that shows anything of a log. A request without a right to come in never reaches them.
#[derive(Clone, Debug)]
pub struct Admitted(pub Access);

impl Shelf {
    /// Shuts a catalog.
    #[must_use]
    pub fn new(catalog: Arc<Catalog<dyn Source>>) -> Self {
        Shelf(catalog)
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

impl Access {
    /// Who asks.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// What stands for the asker where places are counted; none where nobody is asked.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        match &self.who {
            Who::Anyone => None,
            Who::User(_) | Who::Token { .. } => Some(self.who.to_string()),
        }
    }

    /// The secret behind the asker is that of a login in a browser.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(&self.who, Who::User(Visitor { name: _, way: Way::Session { .. } }))
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
    pub fn roster(&self, pattern: SourcePattern) -> Roster {
        let access = self.clone();
        Roster {
            changes: self.catalog.subscribe(),
            list: Box::new(move || access.matching(&pattern)),
        }
    }

    /// Tells a viewer when it has lost its right.
    #[must_use]
    pub fn rights(&self) -> Rights {
        let access = self.clone();
        Rights {
            changes: self.auth.changes(),
            may_read: Box::new(move |source| access.may_read(source)),
        }
    }

    /// Asked anew each time: rights may change while somebody looks.
    fn may_read(&self, source: &SourceName) -> bool {
        self.auth.admits(&self.who) && self.auth.policy().may_read(&self.who, source.as_str())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admitted {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let Some(site) = request.rocket().state::<Site>() else {
            return Outcome::Forward(Status::InternalServerError);
        };
        let judged = request.local_cache_async(async {
            let client = Client::of(request, &site.network);
            let (auth, catalog) = (Arc::clone(&site.auth), Arc::clone(&site.shelf.0));
            let identified = identity::identify(request, site, &client).await;
            Judged(Some(identified.map(|who| Access { who, auth, catalog })))
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

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("who", &self.who).finish_non_exhaustive()
    }
}
