//! Shapes and strides for kernels, with as few axes as possible.

/// An axis: its size, and the stride of every array along it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis<const N: usize> {
    pub size: usize,
    pub strides: [usize; N],
}

/// The axes of a shape. Neighbouring axes are merged if all arrays are contiguous across them. Axes of size 1 are left
/// out.
pub(super) fn merged<const N: usize>(shape: &[usize], strides: [&[usize]; N]) -> Vec<Axis<N>> {
    let mut axes: Vec<Axis<N>> = Vec::new();
    for (k, &size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
        let strides = strides.map(|array| array[k]);
        match axes.last_mut() {
            Some(last) if (0..N).all(|array| last.strides[array] == strides[array] * size) => {
                *last = Axis { size: last.size * size, strides };
            }
            _ => axes.push(Axis { size, strides }),
        }
    }
    axes
}

/// Sizes and strides as params, axis by axis.
pub(super) fn axis_params<const N: usize>(axes: &[Axis<N>]) -> impl Iterator<Item = u32> {
    axes.iter().flat_map(|axis| std::iter::once(axis.size).chain(axis.strides)).map(|size| size as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis<const N: usize>(size: usize, strides: [usize; N]) -> Axis<N> {
        Axis { size, strides }
    }

    #[test]
    fn neighbours_are_merged_if_all_arrays_are_contiguous() {
        assert_eq!(merged(&[2, 3, 4], [&[12, 4, 1], &[12, 4, 1]]), [axis(24, [1, 1])]);
        assert_eq!(merged(&[2, 3, 4], [&[12, 4, 1], &[0, 4, 1]]), [axis(2, [12, 0]), axis(12, [1, 1])]);
        assert_eq!(merged(&[2, 1, 4], [&[4, 9, 1]]), [axis(8, [1])]);
        assert_eq!(merged(&[1, 1], [&[0, 0]]), []);
    }
}
