//! Terminal: log text is foreign, and a terminal interprets it. Control characters are made visible
//! here, and levels and sources get colours.

use clap::builder::styling::{AnsiColor, Effects, Style};

/// Writes text so that a terminal only shows it: controls, and characters that reorder or hide
/// others, are made visible; colours in the text are removed. Tabs stay.
pub fn write_visible(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if text.bytes().all(is_plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (shown, after) = rest.split_at_checked(c.len_utf8()).unwrap_or((rest, ""));
        rest = after;
        match c {
            '\t' | ' '..='~' => out.extend_from_slice(shown.as_bytes()),
            '\u{1b}' => match without_colour(after) {
                Some(after) => rest = after,
                None => write_char('␛', out),
            },
            '\0'..='\u{1f}' => {
                write_char(char::from_u32(CONTROL_PICTURES + u32::from(c)).unwrap_or('␀'), out);
            }
            '\u{7f}' => write_char('␡', out),
            c if is_deceptive(c) => {
                out.extend_from_slice(format!("<U+{:04X}>", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(shown.as_bytes()),
        }
    }
}

/// What follows the rest of a sequence that sets colours (`[…m`), its escape taken off.
fn without_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix('[')?;
    let rest = parameters.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':');
    rest.strip_prefix('m')
}

/// Controls of the second range, characters that turn the direction of text, that have no width or
/// that end a line, and tags.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

fn write_char(c: char, out: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    out.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
}

/// The colour of a line of this level; `None` for usual levels.
#[must_use]
pub fn style_of_level(level: &str) -> Option<Style> {
    match level {
        "fatal" => Some(AnsiColor::Red.on_default().effects(Effects::BOLD)),
        "error" => Some(AnsiColor::Red.on_default()),
        "warn" => Some(AnsiColor::Yellow.on_default()),
        "debug" | "trace" => Some(Style::new().effects(Effects::DIMMED)),
        _ => None,
    }
}

/// The colour of a source, by its number.
#[must_use]
pub fn style_of_source(number: usize) -> Style {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Magenta,
        AnsiColor::Green,
        AnsiColor::Blue,
        AnsiColor::BrightCyan,
        AnsiColor::BrightMagenta,
    ];
    let colour = COLOURS.get(number % COLOURS.len()).copied();
    colour.unwrap_or(AnsiColor::Cyan).on_default()
}

const CONTROL_PICTURES: u32 = 0x2400;

#[cfg(test)]
mod tests {
    use super::write_visible;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        write_visible(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        check("plain\ttext äß漢😀", "plain\ttext äß漢😀");
        check("a\x07b\rc\0\x7f", "a␇b␍c␀␡");
        check("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇");
        check("\u{9b}31m", "<U+009B>31m");
        check("user\u{202e}gpj.exe\u{2066}", "user<U+202E>gpj.exe<U+2066>");
        check("a\u{200b}b\u{feff}\u{e0041}", "a<U+200B>b<U+FEFF><U+E0041>");
        check("👩\u{200d}👧", "👩\u{200d}👧");
    }

    #[test]
    fn colours_of_the_text_are_left_out() {
        check("\x1b[31mred\x1b[0m \x1b[38;5;196mmore\x1b[m", "red more");
        check("\x1b[31", "␛[31");
        check("\x1b[?25l", "␛[?25l");
    }
}
