//! Text in lines.

/// Cuts text into lines of at most `columns` letters.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for character in text.chars() {
        if character == '\n' || length == columns {
            lines.push(String::new());
            length = 0;
        }
        if character != '\n'
            && let Some(line) = lines.last_mut()
        {
            line.push(character);
            length += 1;
        }
    }
    lines
}
