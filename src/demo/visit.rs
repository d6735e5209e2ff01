//! A visit to the shop: one request, what the API made of it, and the work that followed.

use super::dice::Dice;
use super::entry::{LogEntry, Request, Severity, api, web, worker};
use super::incident::{Incident, IncidentPhase};
use super::words::{ADDRESSES, AGENTS, ASSETS, CUSTOMERS, PROBES, PRODUCTS, SEARCHED, SEARCHES};

/// What a visitor came for.
#[derive(Debug, Clone, Copy, Default)]
enum Errand {
    #[default]
    Product,
    Search,
    Cart,
    Order,
    SignIn,
    Asset,
    Probe,
}

/// Errands, each as often as it happens in a shop.
const ERRANDS: &[Errand] = &[
    Errand::Product,
    Errand::Product,
    Errand::Product,
    Errand::Product,
    Errand::Product,
    Errand::Search,
    Errand::Search,
    Errand::Cart,
    Errand::Cart,
    Errand::Cart,
    Errand::Order,
    Errand::Order,
    Errand::SignIn,
    Errand::SignIn,
    Errand::Asset,
    Errand::Asset,
    Errand::Asset,
    Errand::Probe,
];

/// The times at which a visit happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When it begins, in milliseconds since 1970.
    pub(super) at: i64,
    /// The state of the shop at that time.
    pub(super) phase: IncidentPhase,
    /// The incident that the state belongs to.
    pub(super) incident: &'static Incident,
}

/// Throws a visit: its lines in all logs, none before `moment.at`, in no order.
pub(super) fn visit(dice: &mut Dice, moment: Moment) -> Vec<LogEntry> {
    let errand = dice.pick(ERRANDS);
    let product = dice.pick(PRODUCTS);
    let search = dice.between(0, i64::try_from(SEARCHES.len()).unwrap_or(0));
    let search = usize::try_from(search).unwrap_or(0);
    let mut request = request(dice, errand, product, SEARCHES.get(search).copied());
    let is_static = matches!(errand, Errand::Asset | Errand::Probe);
    if !is_static {
        request.duration_ms = request.duration_ms * moment.phase.slowness() / 100;
        let failures = if moment.phase == IncidentPhase::Failing { 55 } else { 0 };
        if dice.chance(failures) {
            request.status = moment.incident.status;
            request.bytes = 162;
        }
    }
    let answered = moment.at + request.duration_ms.min(LONGEST_WAIT);
    let mut entries = vec![web(answered, &request)];
    if is_static {
        return entries;
    }
    let searched = SEARCHED.get(search).copied().unwrap_or_default();
    entries.extend(api_lines(dice, moment, answered, errand, &request, (product, searched)));
    if request.status < 500 {
        let started = answered + dice.between(20, 400);
        entries.extend(work(dice, started, errand, product, &request));
    }
    entries
}

fn request(dice: &mut Dice, errand: Errand, product: &str, search: Option<&str>) -> Request {
    let (method, path, status, usual) = match errand {
        Errand::Product => ("GET", format!("/products/{product}"), 200, 38),
        Errand::Search => ("GET", format!("/search?q={}", search.unwrap_or_default()), 200, 74),
        Errand::Cart => ("POST", "/api/cart".to_owned(), 200, 45),
        Errand::Order => ("POST", "/api/orders".to_owned(), 201, 160),
        Errand::SignIn if dice.chance(12) => ("POST", "/api/sign-in".to_owned(), 401, 210),
        Errand::SignIn => ("POST", "/api/sign-in".to_owned(), 200, 190),
        Errand::Asset => {
            let status = if dice.chance(40) { 304 } else { 200 };
            ("GET", format!("/static/{}", dice.pick(ASSETS)), status, 2)
        }
        Errand::Probe => ("GET", dice.pick(PROBES).to_owned(), 404, 1),
    };
    let is_known = matches!(errand, Errand::Cart | Errand::Order | Errand::SignIn);
    Request {
        id: format!("{:08x}", dice.bits() >> 32),
        method,
        path,
        status,
        duration_ms: (usual * dice.between(60, 190) / 100).max(1),
        user: is_known.then(|| dice.pick(CUSTOMERS)),
        address: dice.pick(ADDRESSES),
        agent: dice.pick(AGENTS),
        bytes: if status == 304 { 0 } else { dice.between(310, 24_000) },
    }
}

fn api_lines(
    dice: &mut Dice,
    moment: Moment,
    at: i64,
    errand: Errand,
    request: &Request,
    (product, searched): (&str, &str),
) -> Vec<LogEntry> {
    if request.status >= 500 {
        return vec![api(at, Severity::Error, moment.incident.api_error, request)];
    }
    let mut lines = Vec::new();
    if dice.chance(10) {
        lines.push(api(moment.at, Severity::Debug, &format!("cache miss for {product}"), request));
    }
    if request.duration_ms > SLOW {
        lines.push(api(at, Severity::Warn, "slow answer", request));
    }
    let (level, message) = match errand {
        Errand::Search => {
            (Severity::Info, format!("search for “{searched}”: {} hits", dice.between(0, 48)))
        }
        Errand::Cart => (Severity::Info, format!("{product} added to cart")),
        Errand::Order => (Severity::Info, "order placed".to_owned()),
        Errand::SignIn if request.status == 401 => (Severity::Warn, "wrong password".to_owned()),
        Errand::SignIn => (Severity::Info, "signed in".to_owned()),
        Errand::Product | Errand::Asset | Errand::Probe => {
            (Severity::Info, format!("{product} shown"))
        }
    };
    lines.push(api(at, level, &message, request));
    lines
}

/// The worker's part, from `at` on.
fn work(
    dice: &mut Dice,
    at: i64,
    errand: Errand,
    product: &str,
    request: &Request,
) -> Vec<LogEntry> {
    use Severity::{Debug, Info, Warn};
    let id = &request.id;
    let line = |at, level, message: String| worker(at, level, &format!("{message} req={id}"));
    match errand {
        Errand::Cart => {
            let left = dice.between(2, 60);
            let level = if left < 5 { Warn } else { Info };
            vec![line(at, level, format!("stock: {product} reserved, {left} left"))]
        }
        Errand::Order => {
            let order = dice.between(48_000, 49_999);
            let (euros, cents) = (dice.between(9, 180), dice.between(0, 100));
            let customer = request.user.unwrap_or_default();
            let mailed = at + dice.between(300, 1_200);
            let packed = mailed + dice.between(400, 2_500);
            vec![
                line(at, Info, format!("payments: order {order}, {euros}.{cents:02} € captured")),
                line(mailed, Info, format!("mailer: confirmation sent to {customer}")),
                line(packed, Debug, format!("packing: label printed for order {order} 📦")),
            ]
        }
        Errand::Product if dice.chance(60) => {
            let took = dice.between(18, 140);
            vec![line(at, Info, format!("thumbnails: {product} rendered in {took} ms"))]
        }
        Errand::Search if dice.chance(60) => {
            vec![line(at, Debug, "search: suggestions refreshed".to_owned())]
        }
        Errand::SignIn if request.status == 401 => {
            vec![line(at, Warn, format!("guard: failed sign-in from {}", request.address))]
        }
        Errand::Product | Errand::Search | Errand::SignIn | Errand::Asset | Errand::Probe => {
            Vec::new()
        }
    }
}

/// An answer above this is worth a warning, in milliseconds.
const SLOW: i64 = 400;
/// A visit's lines are late by no more than this.
const LONGEST_WAIT: i64 = 2_500;
