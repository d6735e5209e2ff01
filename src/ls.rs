//! Ls: the command: a server's sources as a table.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::cli::{ConnectArgsError, LsArgs};
use tailcast_client::{Client, ListError, SourceStatus};

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum LsError {
    /// A flag cannot be used.
    #[error(transparent)]
    Arguments(#[from] ConnectArgsError),
    /// There is no list.
    #[error(transparent)]
    List(#[from] ListError),
}

impl LsError {
    /// 2 for wrong usage, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) | Self::List(ListError::Url(_)) => 2,
            Self::List(
                ListError::Connect(_)
                | ListError::Http(_)
                | ListError::Json(_)
                | ListError::Failed(_),
            ) => 1,
        }
    }
}

/// Requests the list; returns the text to print.
pub async fn run(args: &LsArgs) -> Result<String, LsError> {
    let client = Client::new(args.connect.options(|name| std::env::var(name).ok())?);
    let list = client.sources(&args.url).await?;
    if args.json {
        return Ok(list.json + "\n");
    }
    Ok(table(&list.sources))
}

fn table(sources: &[SourceStatus]) -> String {
    let head = ["NAME", "SIZE", "AGE", "VIEWERS"].map(str::to_owned);
    let rows = sources.iter().map(|source| {
        let mut name = Vec::new();
        // A name is foreign, and usually shown on a terminal.
        crate::follow::terminal::write_visible(&source.name, &mut name);
        let name = String::from_utf8_lossy(&name).into_owned();
        [
            name,
            size_text(source.size),
            age_text(source.modified.as_deref()),
            source.viewers.to_string(),
        ]
    });
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let width = |cell: fn(&[String; 4]) -> &String| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0)
    };
    let (names, sizes, ages) = (width(|row| &row[0]), width(|row| &row[1]), width(|row| &row[2]));
    rows.iter()
        .map(|[name, size, age, viewers]| {
            format!("{name:names$}  {size:>sizes$}  {age:>ages$}  {viewers:>7}\n")
        })
        .collect::<Vec<_>>()
        .concat()
}

/// `4.2 MB`, in powers of 1000.
fn size_text(bytes: u64) -> String {
    let (mut whole, mut tenth, mut unit) = (bytes, None, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if whole < 1000 {
            break;
        }
        (tenth, whole, unit) = (Some(whole % 1000 / 100), whole / 1000, next);
    }
    tenth.map_or_else(|| format!("{whole} {unit}"), |tenth| format!("{whole}.{tenth} {unit}"))
}

/// How long ago: `12s`, `3m`, `5h`, `2d`.
fn age_text(modified: Option<&str>) -> String {
    let time = modified.and_then(|text| text.parse::<Timestamp>().ok());
    let Some(time) = time.map(SystemTime::from) else { return "-".to_owned() };
    let seconds = time.elapsed().unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        172_800.. => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceStatus, age_text, size_text, table};

    #[test]
    fn sizes_and_ages_are_for_people() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (4_250_000, "4.2 MB"), (1 << 40, "1.0 TB")]
        {
            assert_eq!(size_text(bytes), text);
        }
        assert_eq!(age_text(None), "-");
        assert_eq!(age_text(Some("nonsense")), "-");
        assert!(age_text(Some("2020-01-01T00:00:00+01:00")).ends_with('d'));
    }

    #[test]
    fn a_table_has_a_head_and_names_that_a_terminal_only_shows() {
        let (size, modified, viewers) = (1, None, 2);
        let text = table(&[SourceStatus { name: "a\x1b[2J".to_owned(), size, modified, viewers }]);
        assert_eq!(text, "NAME   SIZE  AGE  VIEWERS\na␛[2J   1 B    -        2\n");
    }
}
