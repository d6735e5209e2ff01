//! Moves: what can happen to a log, its viewers and their server. A failing program is a list of these,
//! and is printed as it can be pasted into `kept.rs`.

use proptest::prelude::*;

/// A program, and the circumstances under which it runs.
#[derive(Clone, Debug)]
pub struct Program {
    pub setting: Setting,
    pub moves: Vec<Move>,
    /// Milliseconds to wait at each step of a writer or rotator, over and over.
    pub pauses: Vec<u8>,
}

/// What stays the same throughout a program.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "circumstances that have nothing to do with each other"
)]
pub struct Setting {
    /// Each file begins with the same lines, which are more than is taken for its head.
    pub has_banner: bool,
    /// The writer does not append but writes where it stands (`java > log`): what is emptied under it
    /// begins with a hole.
    pub leaves_holes: bool,
    /// The log is empty at first, and files may stay so.
    pub starts_empty: bool,
    /// One or two.
    pub n_viewers: usize,
    /// The last viewer also follows a log on a disk that can hang.
    pub has_hanging_log: bool,
}

impl Setting {
    /// A log with a line in it, and one viewer.
    pub const PLAIN: Self = Setting {
        has_banner: false,
        leaves_holes: false,
        starts_empty: false,
        n_viewers: 1,
        has_hanging_log: false,
    };
}

/// One step of a program.
#[derive(Clone, Copy, Debug)]
pub enum Move {
    Write(u8),
    /// A line in two writes.
    WriteInTwo,
    /// Lines that are all alike, and one that is not.
    WriteAlike(u8),
    /// Lines to a file that was renamed, by a writer that has kept it.
    WriteLate(u8),
    /// The names move up by one; the writer goes over at once, or after writing on to the old file.
    Rename {
        writes_on: u8,
        /// One writer keeps the old file for a while.
        keeps_old: bool,
    },
    /// logrotate's `.backup`: between its rename and its create a writer makes the file anew.
    Backup(u8),
    /// Copied to `.1`, then emptied.
    CopyTruncate,
    /// The youngest rotated file is packed.
    Compress,
    /// Emptied in place: what was not read is gone.
    Truncate,
    /// Cut to its first half, at the end of a line or in the middle of one.
    Cut {
        in_line: bool,
    },
    /// Deleted and begun anew: who was not connected has lost it.
    Recreate,
    Disconnect(usize),
    /// Resumes where the viewer was.
    Reconnect(usize),
    /// The viewer is not polled any more; a reopened one reads the files once it is, not the ring.
    Stop {
        who: usize,
        is_reopened: bool,
    },
    /// It is polled again.
    Wake(usize),
    /// Somebody reads the history to its end, which does not follow, while the program goes on.
    ReadFinite {
        is_slow: bool,
    },
    /// The viewers are given the time to see everything.
    CatchUp,
    /// The server ends and begins anew, the viewers resume.
    Restart,
    /// The disk of the other log stops to answer.
    Hang,
    /// It answers again.
    Heal,
    /// A line to the log on that disk.
    WriteBeside,
}

impl Move {
    /// Whether it moves, empties or replaces a file.
    pub fn moves_files(&self) -> bool {
        match self {
            Move::Rename { .. }
            | Move::Backup(_)
            | Move::CopyTruncate
            | Move::Truncate
            | Move::Recreate
            | Move::Cut { .. } => true,
            Move::Write(_)
            | Move::WriteInTwo
            | Move::WriteAlike(_)
            | Move::WriteLate(_)
            | Move::Compress
            | Move::Disconnect(_)
            | Move::Reconnect(_)
            | Move::Stop { .. }
            | Move::Wake(_)
            | Move::ReadFinite { .. }
            | Move::CatchUp
            | Move::Restart
            | Move::Hang
            | Move::Heal
            | Move::WriteBeside => false,
        }
    }
}

fn writing() -> BoxedStrategy<Move> {
    prop_oneof![
        6 => (1..60_u8).prop_map(Move::Write),
        2 => Just(Move::WriteInTwo),
        2 => (1..20_u8).prop_map(Move::WriteAlike),
    ]
    .boxed()
}

fn viewing() -> BoxedStrategy<Move> {
    prop_oneof![
        2 => who().prop_map(Move::Disconnect),
        2 => who().prop_map(Move::Reconnect),
        2 => (who(), any::<bool>()).prop_map(|(who, is_reopened)| Move::Stop { who, is_reopened }),
        2 => who().prop_map(Move::Wake),
        2 => any::<bool>().prop_map(|is_slow| Move::ReadFinite { is_slow }),
        1 => Just(Move::Restart),
        3 => Just(Move::CatchUp),
    ]
    .boxed()
}

fn renaming() -> BoxedStrategy<Move> {
    prop_oneof![
        4 => (0..5_u8, prop::bool::weighted(0.3))
            .prop_map(|(writes_on, keeps_old)| Move::Rename { writes_on, keeps_old }),
        2 => (1..6_u8).prop_map(Move::WriteLate),
        1 => (1..6_u8).prop_map(Move::Backup),
        2 => Just(Move::Compress),
    ]
    .boxed()
}

fn copying() -> BoxedStrategy<Move> {
    prop_oneof![3 => Just(Move::CopyTruncate), 1 => Just(Move::Compress)].boxed()
}

fn in_place() -> BoxedStrategy<Move> {
    prop_oneof![
        1 => Just(Move::Truncate),
        1 => any::<bool>().prop_map(|in_line| Move::Cut { in_line }),
        1 => Just(Move::Recreate),
    ]
    .boxed()
}

fn hanging() -> BoxedStrategy<Move> {
    prop_oneof![1 => Just(Move::Hang), 1 => Just(Move::Heal), 2 => Just(Move::WriteBeside)].boxed()
}

fn who() -> impl Strategy<Value = usize> {
    0..2_usize
}

/// Whether programs are wanted that meet faults which are known and open: where files are emptied, cut or
/// deleted, holes and files that begin alike; and viewers who leave before they have caught up with files
/// that begin alike.
pub fn with_open_faults() -> bool {
    std::env::var_os("MODEL_OPEN_FAULTS").is_some()
}

/// Much less than a reader waits for late lines.
fn pause() -> impl Strategy<Value = u8> {
    prop_oneof![8 => Just(0_u8), 3 => 1..4_u8, 2 => 4..40_u8]
}

/// Which moves a program is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Renames,
    Copies,
    InPlace,
    All,
    /// All, with a log beside that hangs.
    Hanging,
}

/// Programs of a group.
pub fn program(group: Group) -> impl Strategy<Value = Program> {
    let moves = match group {
        Group::Renames => prop_oneof![3 => writing(), 3 => viewing(), 4 => renaming()].boxed(),
        Group::Copies => {
            prop_oneof![3 => writing(), 3 => viewing(), 2 => copying(), 1 => renaming()].boxed()
        }
        Group::InPlace => {
            prop_oneof![3 => writing(), 3 => viewing(), 2 => in_place(), 1 => renaming()].boxed()
        }
        Group::All => {
            prop_oneof![4 => writing(), 4 => viewing(), 2 => renaming(), 2 => copying(), 2 => in_place()]
                .boxed()
        }
        Group::Hanging => {
            prop_oneof![4 => writing(), 3 => viewing(), 2 => renaming(), 2 => copying(), 4 => hanging()]
                .boxed()
        }
    };
    let settings = (any::<bool>(), prop::bool::weighted(0.3)).prop_map(move |(banner, holes)| {
        let has_hanging_log = group == Group::Hanging;
        let has_in_place = matches!(group, Group::InPlace | Group::All);
        let is_known = !with_open_faults() && has_in_place;
        Setting {
            has_banner: banner && !is_known,
            leaves_holes: holes && !is_known,
            n_viewers: 2,
            has_hanging_log,
            ..Setting::PLAIN
        }
    });
    let moves = prop::collection::vec(moves, 1..14);
    let pauses = prop::collection::vec(pause(), 1..30).no_shrink();
    (settings, moves, pauses).prop_map(|(setting, moves, pauses)| Program {
        setting,
        moves,
        pauses,
    })
}
