//! What goes wrong in the shop: each incident is a story in four parts in all three logs.

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IncidentPhase {
    /// There is none.
    Calm,
    /// Answers take longer and longer.
    Rising,
    /// Requests fail.
    Failing,
    /// Someone, or something, has mended it.
    Recovering,
}

impl IncidentPhase {
    /// The phase at `at`, in milliseconds from the start of the live part. Before that lies one
    /// incident, written slowly like all of the past.
    pub(super) fn at(at: i64) -> Self {
        let (since_start, lengths) = if at < 0 {
            (at - PAST_START, PAST_LENGTHS)
        } else {
            (at % PERIOD - LIVE_START, LIVE_LENGTHS)
        };
        let [rising, failing, recovering] = lengths;
        match since_start {
            ..0 => Self::Calm,
            passed if passed < rising => Self::Rising,
            passed if passed < rising + failing => Self::Failing,
            passed if passed < rising + failing + recovering => Self::Recovering,
            _later => Self::Calm,
        }
    }

    /// How many times longer than on a good day an answer takes, in percent.
    pub(super) fn slowness(self) -> i64 {
        match self {
            Self::Calm => 100,
            Self::Rising => 600,
            Self::Failing => 2_400,
            Self::Recovering => 250,
        }
    }
}

/// One kind of incident, in the words of the logs. `{req}` stands for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    /// What the worker notices first, from bad to worse.
    pub(super) warnings: &'static [&'static str],
    /// The worker's error, its stack trace on the lines behind.
    pub(super) error: &'static str,
    /// What the API says of a request that fails.
    pub(super) api_error: &'static str,
    /// The status that such a request gets.
    pub(super) status: u16,
    /// How it ends.
    pub(super) recovery: &'static str,
}

impl Incident {
    /// The kind of incident that belongs to `at`, in milliseconds from the start of the live part.
    pub(super) fn at(at: i64) -> &'static Self {
        match at.div_euclid(PERIOD).rem_euclid(3) {
            0 => &DATABASE,
            1 => &PAYMENTS,
            _two => &THUMBNAILS,
        }
    }
}

const DATABASE: Incident = Incident {
    warnings: &[
        "orders: connection pool 17/20 in use, 3 waiting",
        "orders: connection pool 20/20 in use, 11 waiting",
        "orders: waited 4.8 s for a connection req={req}",
    ],
    error: "orders: could not store order req={req}
java.sql.SQLTransientConnectionException: shop-pool - Connection is not available, request timed out after 5000ms (total=20, active=20, idle=0, waiting=14)
\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)
\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:197)
\tat com.zaxxer.hikari.HikariDataSource.getConnection(HikariDataSource.java:100)
\tat example.shop.orders.OrderRepository.save(OrderRepository.java:58)
\tat example.shop.orders.OrderWorker.handle(OrderWorker.java:112)
\tat example.shop.queue.Consumer.run(Consumer.java:41)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: org.postgresql.util.PSQLException: FATAL: remaining connection slots are reserved for superusers
\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2733)
\t... 14 more",
    api_error: "database timeout",
    status: 503,
    recovery: "orders: connection pool 4/20 in use, a long report was cancelled",
};

const PAYMENTS: Incident = Incident {
    warnings: &[
        "payments: provider answered in 2.1 s (usually 0.2 s)",
        "payments: attempt 1 of 3 timed out, trying again req={req}",
        "payments: attempt 2 of 3 timed out, trying again req={req}",
    ],
    error: "payments: capture failed req={req}
Traceback (most recent call last):
  File \"/srv/shop/worker/payments.py\", line 84, in capture
    answer = self.provider.capture(order.id, order.total)
  File \"/srv/shop/worker/provider.py\", line 41, in capture
    response = self.session.post(url, json=body, timeout=10)
  File \"/usr/lib/python3.13/site-packages/requests/sessions.py\", line 637, in post
    return self.request(\"POST\", url, data=data, json=json, **kwargs)
requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='pay.example', port=443): Read timed out. (read timeout=10)",
    api_error: "payment provider timed out",
    status: 502,
    recovery: "payments: provider answers in 0.2 s again, 6 captures made up for",
};

const THUMBNAILS: Incident = Incident {
    warnings: &[
        "thumbnails: /var/cache/thumbs is 91 % full",
        "thumbnails: /var/cache/thumbs is 97 % full",
        "thumbnails: writing took 3.4 s req={req}",
    ],
    error: "thumbnails: job died req={req}
Traceback (most recent call last):
  File \"/srv/shop/worker/thumbnails.py\", line 129, in render
    image.save(target, format=\"AVIF\", quality=62)
  File \"/usr/lib/python3.13/site-packages/PIL/Image.py\", line 2596, in save
    save_handler(self, fp, filename)
OSError: [Errno 28] No space left on device: '/var/cache/thumbs/walnut-board@2x.avif'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/srv/shop/worker/queue.py\", line 57, in run
    job.handle()
RuntimeError: job gave up after 3 attempts",
    api_error: "picture store unavailable",
    status: 500,
    recovery: "thumbnails: cache emptied, 12.4 GB free",
};

/// From one incident to the next, and where in that time it begins.
const PERIOD: i64 = 40_000;
const LIVE_START: i64 = 18_000;
/// How long it rises, fails and recovers.
const LIVE_LENGTHS: [i64; 3] = [6_000, 4_500, 3_500];
/// The same for the past.
const PAST_START: i64 = -25 * 60_000;
const PAST_LENGTHS: [i64; 3] = [150_000, 120_000, 90_000];
