//! Common parts of pools: their attributes, and the window in ceil mode.

use super::{Op, expect_arity};
use crate::attributes::{Attribute, Attributes};
use crate::backend::Window;
use crate::error::{Error, Result};

/// A window that slides over planes. Channels are independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pooling {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// The padding before and after, for height and width.
    pub padding: [[usize; 2]; 2],
    pub dilation: [usize; 2],
    pub ceil_mode: bool,
}

impl Pooling {
    pub fn new(kernel: [usize; 2]) -> Self {
        Pooling { kernel, stride: kernel, padding: [[0, 0]; 2], dilation: [1, 1], ceil_mode: false }
    }

    pub fn parse(attributes: &Attributes) -> Result<Self> {
        let Some(kernel) = attributes.sizes_by_axis("kernel")? else {
            return Err(Error::name("attribute 'kernel' is missing; pass a number or a list of 2"));
        };
        Ok(Pooling {
            kernel,
            stride: attributes.sizes_by_axis("stride")?.unwrap_or(kernel),
            padding: padding(attributes)?,
            dilation: attributes.sizes_by_axis("dilation")?.unwrap_or([1, 1]),
            ceil_mode: attributes.flag_or("ceil_mode", false)?,
        })
    }

    /// The window on a plane of `size`; `None` if it does not fit.
    ///
    /// In ceil mode, one more window covers the remaining entries, if it begins inside the plane or in the padding before
    /// it. The window then has more padding after the plane.
    pub fn window(&self, size: [usize; 2]) -> Option<Window> {
        let Pooling { kernel, stride, dilation, .. } = *self;
        let mut padding = self.padding;
        if self.ceil_mode {
            for axis in 0..2 {
                let span = kernel[axis].checked_sub(1)?.checked_mul(dilation[axis])?.checked_add(1)?;
                let [before, after] = self.padding[axis];
                let before_end = size[axis].checked_add(before)?;
                let room = before_end.checked_add(after)?.checked_sub(span)?;
                let begin = room.checked_sub(room.checked_rem(stride[axis])?)?.checked_add(stride[axis])?;
                if begin < before_end && room % stride[axis] > 0 {
                    padding[axis][1] = padding[axis][1].checked_add(begin - room)?;
                }
            }
        }
        let window = Window { kernel, stride, dilation, padding, groups: 1 };
        window.positions(size).map(|_| window)
    }

    /// The shape rule for `[i, h, w]`.
    pub fn shape(&self, op: &impl Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(op, inputs, parameters, 1, 0..=0)?;
        let refuse = |why: String| Err(Error::shape(format!("{}: {why}", op.name())));
        let Pooling { kernel, stride, padding, dilation, .. } = *self;
        let &[channels, h, w] = inputs[0] else {
            return refuse(format!("the input has shape {:?}, but [channels, h, w] is needed", inputs[0]));
        };
        if [kernel, stride, dilation].concat().contains(&0) {
            return refuse(format!("kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must not be zero"));
        }
        if (0..2).any(|axis| padding[axis].iter().any(|&side| side > kernel[axis] / 2)) {
            return refuse(format!("padding {padding:?} is more than half of the kernel {kernel:?}"));
        }
        // Only the first window can miss the plane. Padding is at most half a kernel, so the window's second entry is the
        // first entry that may be inside.
        let misses = (0..2).any(|axis| padding[axis][0] > 0 && dilation[axis] > [h, w][axis]);
        match self.window([h, w]).and_then(|window| window.positions([h, w])) {
            Some([rows, cols]) if h > 0 && w > 0 && !misses => Ok(vec![channels, rows, cols]),
            _ => refuse(format!(
                "a kernel of {kernel:?} with dilation {dilation:?} does not fit an input of shape {:?} with padding \
                 {padding:?}",
                inputs[0]
            )),
        }
    }
}

/// The attribute `padding`: a number, `[height, width]`, or `[top, left, bottom, right]`.
fn padding(attributes: &Attributes) -> Result<[[usize; 2]; 2]> {
    match attributes.get("padding") {
        Some(Attribute::Numbers(sides)) if sides.len() == 4 => {
            let sides = attributes.sizes("padding")?;
            Ok([[sides[0], sides[2]], [sides[1], sides[3]]])
        }
        _ => Ok(attributes.sizes_by_axis("padding")?.unwrap_or([0, 0]).map(|side: usize| [side, side])),
    }
}

/// The common builder methods of pools. The window is in the field `pooling`.
macro_rules! pooling_methods {
    () => {
        /// A pool with this kernel, a stride of the kernel's size, and no padding.
        pub fn new(kernel: [usize; 2]) -> Self {
            Self::from_pooling(Pooling::new(kernel))
        }

        /// The distance between two positions of the window, along height and width.
        #[must_use]
        pub fn stride(mut self, stride: [usize; 2]) -> Self {
            self.pooling.stride = stride;
            self
        }

        /// The padding on either side, along height and width. It is at most half a kernel.
        #[must_use]
        pub fn padding(self, padding: [usize; 2]) -> Self {
            self.padding_sides(padding.map(|side| [side, side]))
        }

        /// The padding `[[top, bottom], [left, right]]`. Each is at most half a kernel.
        #[must_use]
        pub fn padding_sides(mut self, sides: [[usize; 2]; 2]) -> Self {
            self.pooling.padding = sides;
            self
        }

        /// Whether one more window covers the remaining entries, if it begins inside the plane or in the padding before
        /// it.
        #[must_use]
        pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
            self.pooling.ceil_mode = ceil_mode;
            self
        }
    };
}
pub(super) use pooling_methods;
