//! The ops: what a network is made of, one file each, written once over [`Arrays`] for every device.
//!
//! An [`Op`] says what shape it gives, what it computes, how a cotangent is pulled back through it, and, for each of its
//! parameters, the two sides of the per-sample gradient. The macro [`ops!`](crate::ops!) makes a set of ops out of a
//! list; [`Builtin`] is this crate's, and a user's own ops join it by the same macro. The file `README.md` in this
//! folder says in ten lines how to add one.

mod add;
mod avg_pool2d;
mod batch_norm;
mod binary_cross_entropy;
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
mod record;
mod reshape;
mod rms_norm;
mod scale;
mod shift;
mod slice;
mod softmax;
mod squared_error;
mod sub;
mod sum;
mod target;
mod unary;
mod zero_pad2d;

use std::any::Any;
use std::fmt::Debug;

pub use add::Add;
pub use avg_pool2d::AvgPool2d;
pub use batch_norm::BatchNorm;
pub use binary_cross_entropy::BinaryCrossEntropy;
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
pub use reshape::Reshape;
pub use rms_norm::RmsNorm;
pub use scale::Scale;
pub use shift::Shift;
pub use slice::Slice;
pub use softmax::Softmax;
pub use squared_error::SquaredError;
pub use sub::Sub;
pub use sum::Sum;
pub use zero_pad2d::ZeroPad2d;

use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::unary::Unary;

ops! {
    /// The ops of this crate.
    pub enum Builtin {
        Add(Add),
        AvgPool2d(AvgPool2d),
        BatchNorm(BatchNorm),
        BinaryCrossEntropy(BinaryCrossEntropy),
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
        Reshape(Reshape),
        RmsNorm(RmsNorm),
        Scale(Scale),
        Shift(Shift),
        Slice(Slice),
        Softmax(Softmax),
        SquaredError(SquaredError),
        Sub(Sub),
        Sum(Sum),
        Unary(Unary),
        ZeroPad2d(ZeroPad2d),
    }
}

/// A differentiable operation on the values of every sample alone.
///
/// Shapes that an op is asked about are those of one sample; the arrays that it computes with have the sample as axis 0
/// in addition. Parameters have no sample axis. An op may assume that arrays have the shapes that its
/// [`shape`](Op::shape) rule accepted.
///
/// Run an op of your own through [`check::op`](crate::check::op).
pub trait Op: Clone + Debug + Send + Sync + 'static {
    /// What the op is called in messages and descriptions.
    fn name(&self) -> &'static str;

    /// The op that `name` and `attributes` describe; `None` if the name is another op's.
    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>>;

    /// The shape of the result for one sample, from the inputs' for one sample and the parameters'. An error that says
    /// which shapes do not fit; also where there are too few or too many of them.
    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>>;

    /// The result.
    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor;

    /// The cotangent of input `input`, given the result `y` and its cotangent `dy`.
    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor;

    /// What came in at parameter `parameter`: the left side of its per-sample gradient, which says how it meets the
    /// cotangent of the result. An op with parameters has one for each; `None` makes the tape refuse.
    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, _parameter: usize) -> Option<InputOperand<B>> {
        None
    }

    /// The per-sample gradients of parameter `parameter` multiplied out, \[n, p\], of an op that says
    /// [`InputOperand::Rows`] there.
    fn rows<B: Arrays>(&self, _at: &OpContext<'_, B>, _y: &B::Tensor, _dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        unreachable!("{} says Left::Rows and gives none", self.name())
    }

    /// If every entry of the result is an entry of an input times one number: that number. A parameter that reaches
    /// its layer through such ops only is the same parameter, seen differently.
    fn moves_entries(&self) -> Option<f64> {
        None
    }

    /// If input `input` holds numbers of rows of a table: how many rows there are, given the parameters' shapes.
    fn rows_looked_up(&self, _input: usize, _parameters: &[&[usize]]) -> Option<usize> {
        None
    }

    /// Why a sample's result would depend on other samples, or on chance, if it would. Such an op is refused when it is
    /// recorded.
    fn mixes_samples(&self) -> Option<&'static str> {
        None
    }

    /// The op itself, out of the sets that hold it; how the closed form knows a plain MLP.
    #[doc(hidden)]
    fn leaf(&self) -> &dyn Any {
        self
    }

    /// What the tests run the op with: every attribute that changes its path, sizes at the edges.
    fn cases() -> Vec<Case<Self>>;
}

/// Where an op is computed: the backend, and the arrays of its inputs and parameters.
pub struct OpContext<'a, B: Arrays> {
    /// The backend.
    pub arrays: &'a B,
    /// The inputs, \[n, ...\].
    pub inputs: &'a [&'a B::Tensor],
    /// The parameters.
    pub parameters: &'a [&'a B::Tensor],
}

impl<'a, B: Arrays> OpContext<'a, B> {
    /// The shape of input k, the sample axis included.
    pub fn input_shape(&self, k: usize) -> &'a [usize] {
        self.arrays.shape(self.inputs[k])
    }

    /// The shape of parameter k.
    pub fn parameter_shape(&self, k: usize) -> &'a [usize] {
        self.arrays.shape(self.parameters[k])
    }
}

/// One setting in which an op is tested.
#[derive(Clone, Debug)]
pub struct Case<O> {
    /// The op.
    pub op: O,
    /// The shape of each input for one sample.
    pub inputs: Vec<Vec<usize>>,
    /// The shape of each parameter.
    pub parameters: Vec<Vec<usize>>,
    /// Values that inputs stay away from, because the op has no derivative there.
    pub kinks: Vec<f64>,
    /// Inputs that hold whole numbers below this: their index and the bound.
    pub whole: Vec<(usize, usize)>,
    /// Parameters that are none, such as running statistics: the op gives no factor for them, and they stay positive.
    pub buffers: Vec<usize>,
    /// The least and the largest value that inputs take, because the op is not defined, or too steep, outside of them;
    /// infinite where there is no such bound.
    pub domain: [f64; 2],
}

impl<O> Case<O> {
    /// The op on inputs and parameters of these shapes.
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

    /// The same where input `input` holds whole numbers below `bound`.
    #[must_use]
    pub fn whole(mut self, input: usize, bound: usize) -> Self {
        self.whole.push((input, bound));
        self
    }

    /// The same where the parameters `buffers` are none that the op has factors for.
    #[must_use]
    pub fn with_buffers(mut self, buffers: &[usize]) -> Self {
        self.buffers = buffers.to_vec();
        self
    }

    /// The same with inputs that stay away from `kinks`.
    #[must_use]
    pub fn away_from(mut self, kinks: &[f64]) -> Self {
        self.kinks = kinks.to_vec();
        self
    }

    /// The same with inputs between `low` and `high`. Differences reach a little beyond: the op must be defined there.
    #[must_use]
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.domain = [low, high];
        self
    }

    /// The same with another op around the op.
    #[doc(hidden)]
    pub fn map<P>(self, wrap: impl FnOnce(O) -> P) -> Case<P> {
        let Case { op, inputs, parameters, kinks, whole, buffers, domain } = self;
        Case { op: wrap(op), inputs, parameters, kinks, whole, buffers, domain }
    }
}

/// Checks the number of inputs and of parameters; what most shape rules start with.
pub fn expect_arity(
    op: &impl Op,
    inputs: &[&[usize]],
    parameters: &[&[usize]],
    want_inputs: usize,
    want_parameters: std::ops::RangeInclusive<usize>,
) -> Result<()> {
    if inputs.len() != want_inputs || !want_parameters.contains(&parameters.len()) {
        return Err(Error::shape(format!(
            "{}: {} inputs and {} parameters, where {want_inputs} inputs and {} parameters are needed",
            op.name(),
            inputs.len(),
            parameters.len(),
            if want_parameters.start() == want_parameters.end() {
                want_parameters.start().to_string()
            } else {
                format!("{} to {}", want_parameters.start(), want_parameters.end())
            }
        )));
    }
    Ok(())
}

/// Makes an enum of ops that is an [`Op`](crate::ops::Op) itself: a line per op. A set may hold another set, so a
/// user's own ops stand beside [`Builtin`](crate::ops::Builtin).
///
/// ```
/// use tangent_kernels::ops::{Builtin, Op};
/// tangent_kernels::ops! {
///     /// All of the crate's ops; an own op would be one more line.
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
            fn forward<B: $crate::backend::Arrays>(&self, at: &$crate::ops::OpContext<'_, B>) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::forward(op, at)),* }
            }
            fn pull<B: $crate::backend::Arrays>(
                &self,
                at: &$crate::ops::OpContext<'_, B>,
                y: &B::Tensor,
                dy: &B::Tensor,
                input: usize,
            ) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::pull(op, at, y, dy, input)),* }
            }
            fn input_operand<B: $crate::backend::Arrays>(
                &self,
                at: &$crate::ops::OpContext<'_, B>,
                parameter: usize,
            ) -> Option<$crate::factor::InputOperand<B>> {
                match self { $($name::$variant(op) => $crate::ops::Op::input_operand(op, at, parameter)),* }
            }
            fn rows<B: $crate::backend::Arrays>(
                &self,
                at: &$crate::ops::OpContext<'_, B>,
                y: &B::Tensor,
                dy: &B::Tensor,
                parameter: usize,
            ) -> B::Tensor {
                match self { $($name::$variant(op) => $crate::ops::Op::rows(op, at, y, dy, parameter)),* }
            }
            fn moves_entries(&self) -> Option<f64> {
                match self { $($name::$variant(op) => $crate::ops::Op::moves_entries(op)),* }
            }
            fn rows_looked_up(&self, input: usize, parameters: &[&[usize]]) -> Option<usize> {
                match self { $($name::$variant(op) => $crate::ops::Op::rows_looked_up(op, input, parameters)),* }
            }
            fn mixes_samples(&self) -> Option<&'static str> {
                match self { $($name::$variant(op) => $crate::ops::Op::mixes_samples(op)),* }
            }
            fn leaf(&self) -> &dyn std::any::Any {
                match self { $($name::$variant(op) => $crate::ops::Op::leaf(op)),* }
            }
            fn cases() -> Vec<$crate::ops::Case<Self>> {
                let mut all = Vec::new();
                $(all.extend(<$op as $crate::ops::Op>::cases().into_iter().map(|case| case.map($name::$variant)));)*
                all
            }
        }
    };
}
use crate::ops;
