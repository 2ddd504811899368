//! What memory there is, and what a process took at most; Linux says, others may not.

/// Bytes of a line such as `VmHWM:  1234 kB`; `None` where there is no such file or line.
fn kilobytes(file: &str, key: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let number: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(number * 1024.0)
}

/// Bytes that this machine could still give; `None` where it does not say.
pub fn available() -> Option<f64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// Writes so many bytes and gives them back. A virtual machine gets memory that it did not use for long from its host,
/// page by page, and the first kernel to touch it took over twice as long as the next. Nothing where it would hide a
/// [`Peak`].
pub fn have_at_hand(bytes: usize) {
    let mut memory = Vec::new();
    if put_mark_back() && memory.try_reserve_exact(bytes).is_ok() {
        memory.resize(bytes, 1_u8);
        std::hint::black_box(memory);
    }
}

/// Puts the mark of the most memory back to what is held now, where the system allows it.
fn put_mark_back() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The most memory of this process since it was made.
pub struct Peak {
    before: Option<f64>,
}

impl Peak {
    /// Puts the mark back to what is held now, so that what was held and freed before (the ruler) does not hide a peak.
    /// Where the system does not allow it the mark stays, and only what goes beyond it is seen.
    pub fn new() -> Self {
        put_mark_back();
        Peak { before: mark() }
    }

    /// Bytes beyond the beginning.
    pub fn bytes(&self) -> Option<f64> {
        Some((mark()? - self.before?).max(0.0))
    }
}

/// The most bytes that this process had in memory, its program among them.
pub fn mark() -> Option<f64> {
    kilobytes("/proc/self/status", "VmHWM:")
}
