//! Bare: the page's files as they are sent. A quarter of them is words for those who work on them;
//! what the browser gets is the same lines without comments and indentation.
//!
//! This reads lines, not a language. It holds for files in which a comment is a line (or several) of
//! its own or stands in `/** … */`, and no text or template goes over the end of a line; a test holds
//! the files to that.

/// The text without comments, indentation and empty lines.
pub(super) fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut is_comment = false;
    for line in text.lines() {
        let line = line.trim_start();
        if is_comment {
            is_comment = !line.ends_with("*/");
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        if line.starts_with("/*") && !line.contains("*/") {
            is_comment = true;
            continue;
        }
        let kept = without_annotations(line);
        if !kept.is_empty() {
            bare.push_str(&kept);
            bare.push('\n');
        }
    }
    bare
}

/// A style sheet without the spaces that only people need. It holds where a colon with a space after
/// it ends a property's name, and no text has such pairs.
pub(super) fn without_spaces(css: &str) -> String {
    let pairs =
        [(": ", ":"), ("; ", ";"), (", ", ","), (" {", "{"), ("{ ", "{"), (" }", "}"), (";}", "}")];
    let css = without_comments(css).replace('\n', " ");
    pairs.iter().fold(css, |css, (spaced, bare)| css.replace(spaced, bare))
}

/// A line without what stands in `/** … */`.
fn without_annotations(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("/**") {
        kept.push_str(before);
        let Some((_, after)) = after.split_once("*/") else {
            rest = "";
            break;
        };
        rest = after.trim_start_matches(' ');
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::{without_comments, without_spaces};

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_comments(text), expected);
    }

    #[test]
    fn comments_and_indentation_go() {
        check("// a\n\tx();\n\n\t/** b */ y;\n", "x();\ny;\n");
        check("/**\n * a\n * b\n */\nx();\n", "x();\n");
        check("f(/** @type {any} */ (a), /** @type {any} */ (b));\n", "f((a), (b));\n");
    }

    #[test]
    fn a_style_sheet_loses_its_spaces() {
        let css =
            "a { color: red; b + &:hover { margin: 0 1px; } }\n/** x */\n.c, .d { x: y(1, 2) }\n";
        let expected = "a{color:red;b + &:hover{margin:0 1px}} .c,.d{x:y(1,2)} ";
        assert_eq!(without_spaces(css), expected);
    }

    #[test]
    fn what_looks_like_a_comment_in_a_line_stays() {
        check("const url = \"http://x\"; // why\n", "const url = \"http://x\"; // why\n");
        check("} catch { /* Nothing. */ }\n", "} catch { /* Nothing. */ }\n");
    }
}
