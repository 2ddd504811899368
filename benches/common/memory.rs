//! The available memory and the peak of a process, on systems that report them (Linux).

/// Bytes of a line such as `VmHWM:  1234 kB`; `None` if the file or the line does not exist.
fn kilobytes(file: &str, key: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let number: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(number * 1024.0)
}

/// Available bytes of this machine; `None` if it does not report them.
pub fn available() -> Option<f64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// Writes `bytes` bytes of memory and frees them. A virtual machine gets unused memory back from its host page by page,
/// and the first kernel that touched it took over twice as long as the next. Does nothing if it would hide a [`Peak`].
pub fn have_at_hand(bytes: usize) {
    let mut memory = Vec::new();
    if put_mark_back() && memory.try_reserve_exact(bytes).is_ok() {
        memory.resize(bytes, 1_u8);
        std::hint::black_box(memory);
    }
}

/// Resets the peak to the present memory, if the system allows it.
fn put_mark_back() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The peak of this process since the value was created.
pub struct Peak {
    before: Option<f64>,
}

impl Peak {
    /// Resets the peak, so that memory freed earlier (by the reference product) does not hide one. If the system does not
    /// allow it, only memory beyond the old peak is seen.
    pub fn start() -> Self {
        put_mark_back();
        Peak { before: mark() }
    }

    /// Bytes beyond the beginning.
    pub fn bytes(&self) -> Option<f64> {
        Some((mark()? - self.before?).max(0.0))
    }
}

/// The peak of this process in bytes, its program included.
pub fn mark() -> Option<f64> {
    kilobytes("/proc/self/status", "VmHWM:")
}
