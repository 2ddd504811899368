//! Where a kernel that slides over a plane looks.

/// A rectangle of `kernel` entries that slides over the planes of an array \[n, channels, height, width\]: what
/// convolutions and pools look at. Everything is given for the height first and the width second.
///
/// ```
/// use tangent_kernels::ops::Window;
/// let window = Window { padding: [[1, 1], [1, 1]], stride: [2, 2], ..Window::new([3, 3]) };
/// assert_eq!(window.positions([9, 8]), Some([5, 4]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The entries of the rectangle.
    pub kernel: [usize; 2],
    /// From one position to the next.
    pub stride: [usize; 2],
    /// From one entry of the rectangle to the next.
    pub dilation: [usize; 2],
    /// Entries that are thought around the plane, before and after it: zeros, and never the largest.
    pub padding: [[usize; 2]; 2],
    /// Channels fall into so many groups that are treated apart.
    pub groups: usize,
}

impl Window {
    /// A window of `kernel` entries that moves by one, on a plane without padding, all channels together.
    pub fn new(kernel: [usize; 2]) -> Self {
        Window { kernel, stride: [1, 1], dilation: [1, 1], padding: [[0, 0], [0, 0]], groups: 1 }
    }

    /// How many positions there are along height and width on a plane of `size`; `None` if there is none, a size does
    /// not fit a `usize`, or kernel, stride, dilation or groups have a zero.
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

    /// Positions where entry `tap` of the kernel lies inside a line of `size` entries, along `axis`; and where it lies at
    /// the first of them.
    pub(crate) fn inside(
        &self,
        axis: usize,
        tap: usize,
        size: usize,
        positions: usize,
    ) -> (std::ops::Range<usize>, usize) {
        let (stride, shift) = (self.stride[axis], tap * self.dilation[axis]);
        let before = self.padding[axis][0];
        // Position p looks at p stride + shift - before.
        let first = before.saturating_sub(shift).div_ceil(stride).min(positions);
        let end = (size + before).saturating_sub(shift).div_ceil(stride).clamp(first, positions);
        (first..end, first.saturating_mul(stride).saturating_add(shift).saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_inside_exactly_where_they_are() {
        for (stride, dilation, padding, size) in
            [(1, 1, [0, 0], 5), (2, 3, [4, 1], 7), (3, 1, [2, 2], 1), (1, 2, [0, 3], 4), (4, 1, [9, 0], 2)]
        {
            let window =
                Window { stride: [stride; 2], dilation: [dilation; 2], padding: [padding; 2], ..Window::new([3, 3]) };
            let Some([positions, _]) = window.positions([size, size]) else { continue };
            for tap in 0..3 {
                let (range, at) = window.inside(0, tap, size, positions);
                for p in 0..positions {
                    let looks_at = (p * stride + tap * dilation).checked_sub(padding[0]);
                    let inside = looks_at.is_some_and(|at| at < size);
                    assert_eq!(range.contains(&p), inside, "{window:?}, tap {tap}, position {p}");
                    if p == range.start && inside {
                        assert_eq!(Some(at), looks_at);
                    }
                }
            }
        }
    }

    #[test]
    fn windows_without_a_position_are_told() {
        let window = Window::new([3, 3]);
        assert_eq!(window.positions([2, 5]), None);
        assert_eq!(window.positions([3, 3]), Some([1, 1]));
        assert_eq!(Window { stride: [0, 1], ..window }.positions([5, 5]), None);
        assert_eq!(Window { groups: 0, ..window }.positions([5, 5]), None);
        assert_eq!(Window { padding: [[usize::MAX, 1], [0, 0]], ..window }.positions([5, 5]), None);
    }
}
