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
    use super::without_comments;

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
    fn what_looks_like_a_comment_in_a_line_stays() {
        check("const url = \"http://x\"; // why\n", "const url = \"http://x\"; // why\n");
        check("} catch { /* Nothing. */ }\n", "} catch { /* Nothing. */ }\n");
    }
}
