//! What the shop sells, who buys it, and with what. Addresses are from the ranges that RFC 5737
//! and RFC 3849 set aside for documentation.

/// Products, as they stand in URLs.
pub(super) const PRODUCTS: &[&str] = &[
    "moka-pot",
    "linen-apron",
    "walnut-board",
    "copper-kettle",
    "bread-knife",
    "enamel-mug",
    "cast-iron-pan",
    "salt-cellar",
    "tea-towel-set",
    "coffee-grinder",
];

/// What people type into the search field, as it stands in URLs.
pub(super) const SEARCHES: &[&str] =
    &["kettle", "caf%C3%A9", "knife+sharpener", "gift", "%E6%8A%B9%E8%8C%B6", "apron+blue"];

/// The same searches as the API reads them.
pub(super) const SEARCHED: &[&str] =
    &["kettle", "café", "knife sharpener", "gift", "抹茶", "apron blue"];

/// Customers.
pub(super) const CUSTOMERS: &[&str] = &[
    "Zoë Müller",
    "Ada Okafor",
    "Søren Lindqvist",
    "佐藤 花子",
    "Łukasz Nowak",
    "Inés García",
    "Иван Петров",
    "Priya Raman",
    "Maeve O'Connor",
    "Thảo Nguyễn",
];

/// Where visitors come from.
pub(super) const ADDRESSES: &[&str] = &[
    "203.0.113.7",
    "203.0.113.41",
    "203.0.113.198",
    "198.51.100.23",
    "198.51.100.77",
    "198.51.100.210",
    "192.0.2.14",
    "192.0.2.166",
    "2001:db8::4f2a",
    "2001:db8:7::19",
];

/// Their browsers.
pub(super) const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15",
    "ShopApp/4.12 (Android 15; Pixel 8)",
];

/// What pages load beside themselves.
pub(super) const ASSETS: &[&str] =
    &["app.3f2c81.js", "shop.9be0d4.css", "img/hero@2x.avif", "fonts/inter.woff2", "favicon.ico"];

/// What those ask for who come to break in.
pub(super) const PROBES: &[&str] = &["/wp-login.php", "/.env", "/admin/config.php", "/.git/HEAD"];

/// Jobs that have nothing to do with a visit.
pub(super) const CHORES: &[&str] = &[
    "mailer: newsletter batch sent, 250 recipients",
    "prices: exchange rates refreshed (EUR, SEK, ¥, £)",
    "stock: counted shelf C-14, no difference ✔",
    "carts: 3 abandoned carts emptied",
    "search: index merged, 18 204 documents",
];
