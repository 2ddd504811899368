//! The ops of networks. Each op is one file, written once over [`Arrays`] for all devices.
//!
//! An [`Op`] defines its result's shape, its value, and the pullback of a cotangent. For each of its parameters it defines
//! the two operands of the per-sample gradient. The macro [`ops!`](crate::ops!) makes a set of ops from a list.
//! [`Builtin`] is the set of this crate. Users add their own ops with the same macro. `README.md` in this folder lists
//! the steps for a new op.

mod add;
mod avg_pool2d;
mod batch_norm;
mod binary_cross_entropy;
mod compare;
mod concat;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod convolution;
mod cross_entropy;
mod div;
mod dropout;
mod embedding;
mod flatten;
mod gain;
mod group_norm;
mod layer_norm;
mod linear;
mod matmul;
mod max_pool2d;
mod mul;
mod normalise;
mod permute;
mod pooling;
mod prelu;
mod put;
mod record;
mod reshape;
mod rms_norm;
mod scale;
mod select;
mod shift;
mod slice;
mod softmax;
mod sort_order;
mod squared_error;
mod sub;
mod sum;
mod take;
mod target;
mod unary;
mod zero_pad2d;

use std::any::Any;
use std::fmt::Debug;

pub use add::Add;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use binary_cross_entropy::BinaryCrossEntropy;
pub use compare::Compare;
pub use concat::Concat;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use cross_entropy::CrossEntropy;
pub use div::Div;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gain::Gain;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use matmul::Matmul;
pub use max_pool2d::MaxPool2d;
pub use mul::Mul;
pub use permute::Permute;
pub use prelu::Prelu;
pub use put::Put;
pub use record::Graph;
pub use reshape::Reshape;
pub use rms_norm::RmsNorm;
pub use scale::Scale;
pub use select::Select;
pub use shift::Shift;
pub use slice::Slice;
pub use softmax::Softmax;
pub use sort_order::SortOrder;
pub use squared_error::SquaredError;
pub use sub::Sub;
pub use sum::Sum;
pub use take::Take;
pub use zero_pad2d::ZeroPad2d;

pub use crate::backend::{Arrays, Indexing, Pointwise, Reductions, Storage, Window, Windows};
pub use crate::factor::InputOperand;

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::unary::Unary;

ops! {
    /// The ops of this crate.
    pub enum Builtin {
        Add(Add),
        AvgPool2d(AvgPool2d),
        BatchNorm(BatchNorm),
        BinaryCrossEntropy(BinaryCrossEntropy),
        Compare(Compare),
        Concat(Concat),
        Conv1d(Conv1d),
        Conv2d(Conv2d),
        ConvTranspose2d(ConvTranspose2d),
        CrossEntropy(CrossEntropy),
        Div(Div),
        Dropout(Dropout),
        Embedding(Embedding),
        Flatten(Flatten),
        Gain(Gain),
        GroupNorm(GroupNorm),
        LayerNorm(LayerNorm),
        Linear(Linear),
        Matmul(Matmul),
        MaxPool2d(MaxPool2d),
        Mul(Mul),
        Permute(Permute),
        Prelu(Prelu),
        Put(Put),
        Reshape(Reshape),
        RmsNorm(RmsNorm),
        Scale(Scale),
        Select(Select),
        Shift(Shift),
        Slice(Slice),
        Softmax(Softmax),
        SortOrder(SortOrder),
        SquaredError(SquaredError),
        Sub(Sub),
        Sum(Sum),
        Take(Take),
        Unary(Unary),
        ZeroPad2d(ZeroPad2d),
    }
}

/// A differentiable operation that treats every sample separately.
///
/// Shapes in shape rules are those of one sample. Arrays have an additional axis 0 for the samples. Parameters have no
/// sample axis. An op may assume that arrays have the shapes that its [`shape`](Op::shape) rule accepted.
///
/// Test an op of your own with [`check::op`](crate::check::op).
pub trait Op: Clone + Debug + Send + Sync + 'static {
    /// The op's name in messages and descriptions.
    fn name(&self) -> &'static str;

    /// The op for `name` and `attributes`. `None` if `name` is not the name of this op.
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>>;

    /// The shape of the result for one sample, from the inputs' shapes for one sample and the parameters' shapes. If
    /// shapes or their number do not fit, the error names the shapes.
    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>>;

    /// The result.
    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor;

    /// The cotangent of input `input`, given the result `y` and its cotangent `dy`.
    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor;

    /// The input operand of the per-sample gradient of parameter `parameter`. Its variant defines how it is combined with
    /// the cotangent of the result. Every parameter of an op has an input operand. If it is `None`, the tape reports an
    /// error.
    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, _parameter: usize) -> Option<InputOperand<B>> {
        None
    }

    /// The materialised per-sample gradients of parameter `parameter`, `[n, p]`. They are needed if
    /// [`input_operand`](Op::input_operand) is [`InputOperand::Rows`].
    fn rows<B: Arrays>(
        &self,
        _ctx: &OpContext<'_, B>,
        _y: &B::Tensor,
        _dy: &B::Tensor,
        _parameter: usize,
    ) -> B::Tensor {
        unreachable!("{} has InputOperand::Rows and must implement `rows`", self.name())
    }

    /// The factor c, if every entry of the result is c times one entry of an input. A weight that such ops derive from a
    /// parameter is treated as a view of the parameter.
    fn moves_entries(&self) -> Option<f64> {
        None
    }

    /// The number of rows of the table, if input `input` holds row numbers of a table.
    fn rows_looked_up(&self, _input: usize, _parameters: &[&[usize]]) -> Option<usize> {
        None
    }

    /// Whether the result is piecewise constant in input `input`, so that nothing is to be pulled back to it.
    fn piecewise_constant_in(&self, _input: usize) -> bool {
        false
    }

    /// The reason why a sample's result depends on other samples or on chance, if it does. Recording such an op is an
    /// error.
    fn mixes_samples(&self) -> Option<&'static str> {
        None
    }

    /// The innermost op, without the sets that contain it. The closed form for MLPs uses it to recognise layers.
    #[doc(hidden)]
    fn leaf(&self) -> &dyn Any {
        self
    }

    /// The cases that the tests run: every attribute that selects another path, and edge cases of sizes.
    fn cases() -> Vec<Case<Self>>;
}

/// The context of a call: the backend, and the arrays of the op's inputs and parameters.
pub struct OpContext<'a, B: Arrays> {
    /// The backend.
    pub arrays: &'a B,
    /// The inputs, `[n, ...]`.
    pub inputs: &'a [&'a B::Tensor],
    /// The parameters.
    pub parameters: &'a [&'a B::Tensor],
}

impl<'a, B: Arrays> OpContext<'a, B> {
    /// The shape of input k, with the sample axis.
    pub fn input_shape(&self, k: usize) -> &'a [usize] {
        self.arrays.shape(self.inputs[k])
    }

    /// The shape of parameter k.
    pub fn parameter_shape(&self, k: usize) -> &'a [usize] {
        self.arrays.shape(self.parameters[k])
    }
}

/// One test case of an op.
#[derive(Clone, Debug)]
pub struct Case<O> {
    /// The op.
    pub op: O,
    /// The shape of each input for one sample.
    pub inputs: Vec<Vec<usize>>,
    /// The shape of each parameter.
    pub parameters: Vec<Vec<usize>>,
    /// Values that inputs avoid because the op is not differentiable there.
    pub kinks: Vec<f64>,
    /// Inputs that hold whole numbers, as pairs of input index and exclusive upper bound.
    pub whole: Vec<(usize, usize)>,
    /// Parameters that are buffers, such as running statistics. The op has no factor for them. Their values are positive.
    pub buffers: Vec<usize>,
    /// The smallest and the largest value of inputs. Outside this interval the op is undefined or too steep. Infinite
    /// values mean that there is no bound.
    pub domain: [f64; 2],
}

impl<O> Case<O> {
    /// A case for inputs and parameters of these shapes.
    pub fn new(op: O, inputs: &[&[usize]], parameters: &[&[usize]]) -> Self {
        let owned = |shapes: &[&[usize]]| shapes.iter().map(|s| s.to_vec()).collect();
        Case {
            op,
            inputs: owned(inputs),
            parameters: owned(parameters),
            kinks: Vec::new(),
            whole: Vec::new(),
            buffers: Vec::new(),
            domain: [f64::NEG_INFINITY, f64::INFINITY],
        }
    }

    /// Input `input` holds whole numbers below `bound`.
    #[must_use]
    pub fn whole(mut self, input: usize, bound: usize) -> Self {
        self.whole.push((input, bound));
        self
    }

    /// The parameters with these indices are buffers.
    #[must_use]
    pub fn with_buffers(mut self, buffers: &[usize]) -> Self {
        self.buffers = buffers.to_vec();
        self
    }

    /// Inputs avoid the values `kinks`.
    #[must_use]
    pub fn away_from(mut self, kinks: &[f64]) -> Self {
        self.kinks = kinks.to_vec();
        self
    }

    /// Inputs are between `low` and `high`. Finite differences exceed these bounds slightly, and the op must be defined
    /// there.
    #[must_use]
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.domain = [low, high];
        self
    }

    /// The case with a wrapped op.
    #[doc(hidden)]
    pub fn map<P>(self, wrap: impl FnOnce(O) -> P) -> Case<P> {
        let Case { op, inputs, parameters, kinks, whole, buffers, domain } = self;
        Case { op: wrap(op), inputs, parameters, kinks, whole, buffers, domain }
    }
}

/// Checks the numbers of inputs and parameters. Most shape rules call it first.
pub fn expect_arity(
    op: &impl Op,
    inputs: &[&[usize]],
    parameters: &[&[usize]],
    expected_inputs: usize,
    expected_parameters: std::ops::RangeInclusive<usize>,
) -> Result<()> {
    if inputs.len() != expected_inputs || !expected_parameters.contains(&parameters.len()) {
        return Err(Error::shape(format!(
            "{}: got {} inputs and {} parameters, but {expected_inputs} inputs and {} parameters are needed",
            op.name(),
            inputs.len(),
            parameters.len(),
            if expected_parameters.start() == expected_parameters.end() {
                expected_parameters.start().to_string()
            } else {
                format!("{} to {}", expected_parameters.start(), expected_parameters.end())
            }
        )));
    }
    Ok(())
}

/// Defines an enum of ops that is itself an [`Op`](crate::ops::Op), with one line per op. A set may contain another set.
/// This is how a user's ops are added to [`Builtin`](crate::ops::Builtin).
///
/// ```
/// use tangent_kernels::ops::{Builtin, Op};
/// tangent_kernels::ops! {
///     /// All ops of the crate. An op of your own is one more line.
///     pub enum Ops {
///         Builtin(Builtin),
///     }
/// }
/// assert_eq!(Ops::cases().len(), Builtin::cases().len());
/// ```
#[macro_export]
macro_rules! ops {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($variant:ident($op:ty)),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        $vis enum $name {
            $(
                #[doc = concat!("[`", stringify!($op), "`]")]
                $variant($op),
            )*
        }

        $(
            impl From<$op> for $name {
                fn from(op: $op) -> Self {
                    $name::$variant(op)
                }
            }
        )*

        impl $crate::ops::Op for $name {
            fn name(&self) -> &'static str {
                match self { $($name::$variant(op) => $crate::ops::Op::name(op)),* }
            }
            fn parse(name: &str, attributes: &$crate::Attributes) -> Option<$crate::Result<Self>> {
                $(
                    if let Some(op) = <$op as $crate::ops::Op>::parse(name, attributes) {
                        return Some(op.map($name::$variant));
                    }
                )*
                None
            }
            fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> $crate::Result<Vec<usize>> {
                match self { $($name::$variant(op) => $crate::ops::Op::shape(op, inputs, parameters)),* }
            }
            fn forward<B: $crate::ops::Arrays>(&self, ctx: &$crate::ops::OpContext<'_, B>) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::forward(op, ctx)),* }
            }
            fn pull<B: $crate::ops::Arrays>(
                &self,
                ctx: &$crate::ops::OpContext<'_, B>,
                y: &B::Tensor,
                dy: &B::Tensor,
                input: usize,
            ) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::pull(op, ctx, y, dy, input)),* }
            }
            fn input_operand<B: $crate::ops::Arrays>(
                &self,
                ctx: &$crate::ops::OpContext<'_, B>,
                parameter: usize,
            ) -> Option<$crate::ops::InputOperand<B>> {
                match self { $($name::$variant(op) => $crate::ops::Op::input_operand(op, ctx, parameter)),* }
            }
            fn rows<B: $crate::ops::Arrays>(
                &self,
                ctx: &$crate::ops::OpContext<'_, B>,
                y: &B::Tensor,
                dy: &B::Tensor,
                parameter: usize,
            ) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::rows(op, ctx, y, dy, parameter)),* }
            }
            fn moves_entries(&self) -> Option<f64> {
                match self { $($name::$variant(op) => $crate::ops::Op::moves_entries(op)),* }
            }
            fn rows_looked_up(&self, input: usize, parameters: &[&[usize]]) -> Option<usize> {
                match self { $($name::$variant(op) => $crate::ops::Op::rows_looked_up(op, input, parameters)),* }
            }
            fn piecewise_constant_in(&self, input: usize) -> bool {
                match self { $($name::$variant(op) => $crate::ops::Op::piecewise_constant_in(op, input)),* }
            }
            fn mixes_samples(&self) -> Option<&'static str> {
                match self { $($name::$variant(op) => $crate::ops::Op::mixes_samples(op)),* }
            }
            fn leaf(&self) -> &dyn std::any::Any {
                match self { $($name::$variant(op) => $crate::ops::Op::leaf(op)),* }
            }
            fn cases() -> Vec<$crate::ops::Case<Self>> {
                let mut cases = Vec::new();
                $(cases.extend(<$op as $crate::ops::Op>::cases().into_iter().map(|case| case.map($name::$variant)));)*
                cases
            }
        }
    };
}
use crate::ops;
