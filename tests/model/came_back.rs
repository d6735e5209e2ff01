//! Programs that have failed once where clients came back, or read to the end, while files were copied,
//! packed, cut or deleted: each with its pauses.

use crate::moves::Move::{
    Backup, CatchUp, Compress, CopyTruncate, Cut, Disconnect, Hang, Heal, ReadFinite, Reconnect,
    Recreate, Rename, Restart, Stop, Truncate, Wake, Write, WriteAlike, WriteBeside, WriteInTwo,
    WriteLate,
};
use crate::moves::{Move, Setting};

pub const PROGRAMS: &[(Setting, &[Move], &[u8])] = &[
    (
        PLAIN,
        &[
            WriteInTwo,
            WriteAlike(5),
            Recreate,
            Backup(2),
            CopyTruncate,
            Recreate,
            rename(3),
            Wake(0),
        ],
        &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 14, 0, 3, 0, 0, 0, 0],
    ),
    (
        PLAIN,
        &[
            CopyTruncate,
            Write(57),
            read(false),
            Write(56),
            WriteInTwo,
            Compress,
            stop(1),
            CopyTruncate,
            Compress,
        ],
        &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 31, 0, 1, 0, 0, 6],
    ),
    (
        PLAIN,
        &[
            Write(37),
            CopyTruncate,
            Write(49),
            Write(48),
            read(true),
            Recreate,
            Cut { in_line: false },
            LEAVE,
            WriteAlike(7),
        ],
        &[3, 0, 1, 2],
    ),
    (PLAIN, &[Write(37), CopyTruncate, Write(97), read(true), Recreate], &[0]),
    (
        PLAIN,
        &[Write(37), CopyTruncate, Write(97), read(true), Recreate, Cut { in_line: false }],
        &[0],
    ),
    (
        PLAIN,
        &[Cut { in_line: true }, WriteInTwo, Cut { in_line: false }, LEAVE, Cut { in_line: true }],
        &[0],
    ),
    (
        PLAIN,
        &[Backup(3), read(true), CopyTruncate],
        &[0, 7, 0, 0, 0, 0, 2, 0, 1, 2, 0, 35, 0, 0, 8, 1, 0],
    ),
    (
        PLAIN,
        &[Rename { writes_on: 0, keeps_old: true }, Recreate, WriteLate(5), Recreate],
        &[0, 0, 0, 0, 0, 1, 25, 0, 0],
    ),
    (
        PLAIN,
        &[
            rename(1),
            Compress,
            stop(1),
            Rename { writes_on: 0, keeps_old: true },
            Compress,
            Wake(0),
        ],
        &[0, 0, 0, 25, 0, 0, 1, 2, 0, 3, 0, 0],
    ),
    (
        PLAIN,
        &[
            LEAVE,
            LEAVE,
            Write(11),
            Rename { writes_on: 1, keeps_old: true },
            CopyTruncate,
            read(true),
            Compress,
            Backup(1),
        ],
        &[0, 0, 0, 3, 0, 2],
    ),
    (
        BANNER,
        &[Recreate, stop(0), WriteInTwo, CopyTruncate, CopyTruncate, stop(1)],
        &[1, 1, 0, 3, 1, 0, 0, 0, 18, 0, 0, 0, 1, 0, 1, 0, 0, 16, 0, 0, 18],
    ),
    (
        BANNER,
        &[
            Write(11),
            CopyTruncate,
            read(false),
            CopyTruncate,
            Restart,
            Compress,
            WriteInTwo,
            Rename { writes_on: 0, keeps_old: true },
        ],
        &[35, 5, 0],
    ),
    (
        BANNER,
        &[
            Write(8),
            Recreate,
            CatchUp,
            read(false),
            Truncate,
            Truncate,
            Recreate,
            Wake(1),
            LEAVE,
            WriteInTwo,
            Truncate,
        ],
        &[1, 1, 2, 1, 0, 0, 0, 31, 0, 3, 2, 0, 0, 33, 0, 0, 31, 2, 3, 10],
    ),
    (
        BANNER,
        &[CopyTruncate, Write(54), Compress, Disconnect(1), WriteAlike(12), CopyTruncate],
        &[20, 0, 35, 3, 1, 8, 0, 0, 0, 2, 0, 0, 7, 2, 0, 2, 13, 0],
    ),
    (
        BANNER,
        &[WriteInTwo, Truncate, Disconnect(0)],
        &[0, 3, 0, 0, 0, 0, 4, 0, 0, 0, 13, 0, 23, 0, 0, 0, 0],
    ),
    (
        BANNER,
        &[Wake(0), CopyTruncate, CopyTruncate],
        &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 26, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0, 3],
    ),
    (
        BANNER,
        &[
            Write(5),
            CopyTruncate,
            Compress,
            Write(58),
            Restart,
            Write(35),
            rename(2),
            WriteAlike(13),
            stop(0),
            Write(37),
        ],
        &[3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1],
    ),
    (
        BANNER,
        &[
            Disconnect(1),
            RETURN,
            Compress,
            CopyTruncate,
            rename(3),
            read(true),
            CopyTruncate,
            CopyTruncate,
        ],
        &[3, 0, 3, 0, 1, 2, 0, 0, 3, 1, 2, 34, 3, 3, 0, 0, 37, 0],
    ),
    (
        BANNER,
        &[Rename { writes_on: 0, keeps_old: true }, Reconnect(1), WriteLate(4)],
        &[0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 7],
    ),
    (
        BANNER,
        &[CopyTruncate, read(true), Cut { in_line: false }, read(true), Write(45), WriteLate(5)],
        &[0, 0, 28, 0, 0, 0, 3, 0, 0, 3, 0, 10, 2, 30, 0, 26, 0, 0, 2, 10, 0, 0, 2, 0, 1],
    ),
    (
        HOLES,
        &[Cut { in_line: true }, WriteInTwo, Cut { in_line: false }, LEAVE, Cut { in_line: true }],
        &[0, 37, 0, 0, 0, 0, 10, 2, 11, 0, 0, 0, 2, 0, 0, 28, 0, 2, 3, 0, 1, 2, 7, 2, 3, 5],
    ),
    (
        HOLES,
        &[CopyTruncate, CatchUp, Restart, WriteAlike(12), CopyTruncate, Reconnect(1), Write(4)],
        &[1, 0, 0, 2, 0, 0, 0, 15, 2, 0, 0, 39, 0, 0, 3],
    ),
    (HOLES, &[Truncate, Reconnect(1), Reconnect(1)], &[0, 2, 22, 1, 3, 15, 0]),
    (
        HOLES,
        &[Truncate, CopyTruncate, Restart],
        &[0, 3, 31, 1, 12, 3, 0, 2, 0, 0, 0, 1, 3, 36, 0, 0],
    ),
    (
        HOLES,
        &[Wake(0), CatchUp, Disconnect(1), read(true), Recreate, Truncate, WriteAlike(1), Compress],
        &[2, 3, 0, 0],
    ),
    (
        HOLES,
        &[stop(0), rename(1), CopyTruncate, Truncate],
        &[26, 1, 17, 0, 0, 3, 2, 0, 0, 0, 28, 0, 0, 2, 2, 0, 3, 0],
    ),
    (
        HOLES,
        &[CopyTruncate, Backup(2), read(true), CopyTruncate],
        &[0, 0, 0, 3, 0, 0, 0, 0, 2, 0, 2, 0],
    ),
    (
        BOTH,
        &[
            Compress,
            Restart,
            WriteAlike(17),
            read(false),
            Wake(0),
            CopyTruncate,
            CopyTruncate,
            Restart,
            CopyTruncate,
            Compress,
        ],
        &[0, 0, 2, 0, 0],
    ),
    (
        BOTH,
        &[
            CopyTruncate,
            Rename { writes_on: 3, keeps_old: true },
            LEAVE,
            stop(1),
            Write(57),
            Restart,
            WriteInTwo,
            Compress,
            Rename { writes_on: 4, keeps_old: false },
        ],
        &[0, 0, 0, 0, 0, 0, 0, 26, 2, 0, 19, 14, 1, 0, 0, 39, 0, 0, 0],
    ),
    (BOTH, &[WriteAlike(17), CopyTruncate, Restart, CopyTruncate, Compress], &[0]),
    (
        BOTH,
        &[CopyTruncate, read(true), CopyTruncate],
        &[0, 2, 35, 2, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0],
    ),
    (
        HANGING,
        &[rename(1), CopyTruncate, read(true), rename(4)],
        &[27, 2, 17, 0, 0, 3, 0, 13, 17, 1, 19, 0, 3, 15, 26, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
    (
        HANGING_HOLES,
        &[
            Write(29),
            Rename { writes_on: 2, keeps_old: true },
            Write(50),
            CopyTruncate,
            RETURN,
            WriteBeside,
            Heal,
            Hang,
            Write(52),
            WriteLate(4),
            WriteInTwo,
        ],
        &[0, 0, 3, 0, 29, 0, 0, 0, 0, 33, 0, 0, 11, 2, 0, 0, 0, 2, 0, 0, 0, 0, 26, 0, 0],
    ),
];

const LEAVE: Move = Disconnect(0);
const RETURN: Move = Reconnect(0);

const fn rename(writes_on: u8) -> Move {
    Rename { writes_on, keeps_old: false }
}

const PLAIN: Setting = Setting { n_viewers: 2, ..Setting::PLAIN };
const BANNER: Setting = Setting { has_banner: true, ..PLAIN };
const HOLES: Setting = Setting { leaves_holes: true, ..PLAIN };
const BOTH: Setting = Setting { leaves_holes: true, ..BANNER };
const HANGING: Setting = Setting { has_hanging_log: true, ..PLAIN };
const HANGING_HOLES: Setting = Setting { has_hanging_log: true, ..HOLES };

const fn stop(who: usize) -> Move {
    Stop { who, is_reopened: true }
}

const fn read(is_slow: bool) -> Move {
    ReadFinite { is_slow }
}
