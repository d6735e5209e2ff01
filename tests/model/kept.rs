//! Programs that have failed once.

use crate::came_back::PROGRAMS;
use crate::moves::Move::{
    Backup, CatchUp, Compress, CopyTruncate, Cut, Disconnect, Reconnect, Recreate, Rename, Restart,
    Stop, Truncate, Write, WriteAlike, WriteInTwo,
};
use crate::moves::{Move, Program, Setting};
use crate::run_program;

const LEAVE: Move = Disconnect(0);
const RETURN: Move = Reconnect(0);

const fn rename(writes_on: u8) -> Move {
    Rename { writes_on, keeps_old: false }
}

#[test]
fn what_has_failed_from_an_empty_log_does_not_fail_again() {
    let programs: [&[Move]; 9] = [
        // Filled, copied and emptied before the first look.
        &[Write(3), CopyTruncate],
        // Late lines to a file that was empty when its successor was begun.
        &[rename(1), rename(0)],
        &[Write(8), CopyTruncate, rename(2)],
        // Emptied, and then renamed before it was looked at.
        &[Write(1), Truncate, rename(1)],
        // What is older than the lost file has been seen.
        &[rename(1), Write(1), Recreate, LEAVE],
        &[Truncate, Write(15), RETURN],
        &[rename(1), LEAVE, Write(1), CopyTruncate],
        &[rename(0), Write(1), CopyTruncate, rename(1)],
        &[
            rename(0),
            CopyTruncate,
            rename(2),
            Restart,
            Write(32),
            rename(2),
            Compress,
            WriteInTwo,
            RETURN,
            LEAVE,
        ],
    ];
    play(&programs, Setting { starts_empty: true, ..Setting::PLAIN });
}

#[test]
fn what_has_failed_once_does_not_fail_again() {
    let programs: [&[Move]; 7] = [
        &[Write(1), rename(0), LEAVE, CopyTruncate, Recreate],
        &[Write(1), rename(0), CopyTruncate, CopyTruncate],
        // Emptied in place, and then copied and emptied before the next look.
        &[Recreate, Truncate, Compress, Write(29), Truncate, CopyTruncate, Write(23)],
        // A viewer begins at a seam, and late lines of the file before are younger than that.
        &[rename(1), RETURN, RETURN, rename(2), RETURN],
        // A viewer that left at the seam, before what was missed.
        &[rename(0), CopyTruncate, LEAVE, Recreate, Write(40), RETURN, LEAVE],
        // The live end finds that it has missed some, and calls emptied what a viewer has read.
        &[
            WriteInTwo,
            Write(42),
            Recreate,
            Write(39),
            CopyTruncate,
            RETURN,
            Write(27),
            CatchUp,
            rename(1),
            Write(3),
        ],
        &[
            CopyTruncate,
            Write(9),
            Write(50),
            CopyTruncate,
            Write(19),
            LEAVE,
            rename(4),
            WriteInTwo,
            Write(42),
            LEAVE,
            rename(0),
            Compress,
        ],
    ];
    play(&programs, Setting::PLAIN);
}

#[test]
fn files_that_begin_alike_have_lost_lines_and_do_not_again() {
    let programs: [&[Move]; 2] = [
        // Emptied while the live end was still with the file before.
        &[WriteInTwo, rename(3), WriteInTwo, rename(0), CopyTruncate, rename(2), Write(53)],
        &[rename(0), Write(5), CopyTruncate, Write(5)],
    ];
    play(&programs, Setting { has_banner: true, ..Setting::PLAIN });
}

#[test]
fn viewers_who_were_behind_have_lost_lines_and_do_not_again() {
    const STOP: Move = Stop { who: 0, is_reopened: false };
    let programs: [&[Move]; 4] = [
        // What was to come next is emptied before a viewer comes there.
        &[STOP, rename(1), Restart, Truncate],
        // It is packed meanwhile, and has grown since.
        &[Rename { writes_on: 1, keeps_old: true }, Restart, Backup(2), Compress],
        // Cut so early that the file does not begin as the viewer's cursor says.
        &[WriteAlike(3), LEAVE, Cut { in_line: true }],
        // Cut twice.
        &[STOP, Write(43), Cut { in_line: false }, Write(44), Cut { in_line: false }],
    ];
    play(&programs, Setting::PLAIN);
}

fn play(programs: &[&[Move]], setting: Setting) {
    for moves in programs {
        println!("{moves:?}");
        // As fast as it can be, and with the server looking at what is half done.
        for pauses in [[0; 7], [0, 0, 12, 0, 0, 0, 0], [12, 0, 0, 0, 12, 0, 0]] {
            let (moves, pauses) = (moves.to_vec(), pauses.to_vec());
            run_program(&Program { setting, moves, pauses }, None);
        }
    }
}

#[test]
fn clients_who_came_back_have_lost_or_doubled_lines_and_do_not_again() {
    for (setting, moves, pauses) in PROGRAMS {
        println!("{setting:?} {moves:?}");
        let (moves, pauses) = (moves.to_vec(), pauses.to_vec());
        run_program(&Program { setting: *setting, moves, pauses }, None);
    }
}
