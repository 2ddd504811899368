//! Tables of text and numbers, as text.

/// Rows under each other, every column as wide as its widest entry; `left` says of each whether it begins at the left.
pub fn table(rows: &[Vec<String>], left: &[bool]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let long = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|word| word.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| long(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let words = row.iter().zip(&widths).enumerate().map(|(column, (word, &width))| {
            if left.get(column).is_some_and(|left| *left) {
                format!("{word:<width$}")
            } else {
                format!("{word:>width$}")
            }
        });
        text += words.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// 10000 as 10,000.
pub fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits that count, and no power of ten.
pub fn significant(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let digits = 2 - number.abs().log10().floor() as i32;
    format!("{number:.*}", digits.clamp(0, 9) as usize)
}
