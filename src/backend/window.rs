//! Windows that slide over planes.

/// A rectangle that slides over the planes of an array `[n, channels, height, width]`, as in convolutions and pools.
/// All pairs are for the height first and the width second.
///
/// ```
/// use tangent_kernels::ops::Window;
/// let window = Window { padding: [[1, 1], [1, 1]], stride: [2, 2], ..Window::new([3, 3]) };
/// assert_eq!(window.positions([9, 8]), Some([5, 4]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The size of the rectangle.
    pub kernel: [usize; 2],
    /// The distance between two positions.
    pub stride: [usize; 2],
    /// The distance between two entries of the rectangle.
    pub dilation: [usize; 2],
    /// The padding before and after the plane. It reads as zeros and is never the largest entry.
    pub padding: [[usize; 2]; 2],
    /// The number of groups of channels that are treated separately.
    pub groups: usize,
}

impl Window {
    /// A window of size `kernel` with stride 1, dilation 1, no padding and one group.
    pub fn new(kernel: [usize; 2]) -> Self {
        Window { kernel, stride: [1, 1], dilation: [1, 1], padding: [[0, 0], [0, 0]], groups: 1 }
    }

    /// The numbers of positions along height and width on a plane of `size`. `None` if the window does not fit, a
    /// number overflows `usize`, or kernel, stride, dilation or groups have a zero.
    pub fn positions(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        if self.groups == 0 {
            return None;
        }
        let along = |axis: usize| {
            let [before, after] = self.padding[axis];
            let span = self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?.checked_add(1)?;
            let room = size[axis].checked_add(before)?.checked_add(after)?.checked_sub(span)?;
            (self.dilation[axis] > 0).then_some(())?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// The positions where entry `tap` of the window is inside a line of `size` entries, along `axis`, and the entry
    /// that it reads at the first of them.
    pub(crate) fn inside(
        &self,
        axis: usize,
        tap: usize,
        size: usize,
        positions: usize,
    ) -> (std::ops::Range<usize>, usize) {
        let stride = self.stride[axis];
        let shift = tap * self.dilation[axis];
        let before = self.padding[axis][0];
        // Position p reads entry p stride + shift - before.
        let first = before.saturating_sub(shift).div_ceil(stride).min(positions);
        let end = (size + before).saturating_sub(shift).div_ceil(stride).clamp(first, positions);
        (first..end, first.saturating_mul(stride).saturating_add(shift).saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_agrees_with_the_definition() {
        for (stride, dilation, padding, size) in
            [(1, 1, [0, 0], 5), (2, 3, [4, 1], 7), (3, 1, [2, 2], 1), (1, 2, [0, 3], 4), (4, 1, [9, 0], 2)]
        {
            let window =
                Window { stride: [stride; 2], dilation: [dilation; 2], padding: [padding; 2], ..Window::new([3, 3]) };
            let Some([positions, _]) = window.positions([size, size]) else { continue };
            for tap in 0..3 {
                let (range, first) = window.inside(0, tap, size, positions);
                for p in 0..positions {
                    let entry = (p * stride + tap * dilation).checked_sub(padding[0]);
                    let inside = entry.is_some_and(|entry| entry < size);
                    assert_eq!(range.contains(&p), inside, "{window:?}, tap {tap}, position {p}");
                    if p == range.start && inside {
                        assert_eq!(Some(first), entry);
                    }
                }
            }
        }
    }

    #[test]
    fn windows_without_a_position_give_none() {
        let window = Window::new([3, 3]);
        assert_eq!(window.positions([2, 5]), None);
        assert_eq!(window.positions([3, 3]), Some([1, 1]));
        assert_eq!(Window { stride: [0, 1], ..window }.positions([5, 5]), None);
        assert_eq!(Window { groups: 0, ..window }.positions([5, 5]), None);
        assert_eq!(Window { padding: [[usize::MAX, 1], [0, 0]], ..window }.positions([5, 5]), None);
    }
}
