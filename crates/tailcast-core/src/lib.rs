//! What both ends of Tailcast share: [`cursor`] (a position in a log as a token), [`time_expr`] (the
//! moments that `since=` and `until=` name) and [`protocol`] (names that both sides must spell alike).

pub mod cursor;
pub mod protocol;
pub mod time_expr;
