//! ONNX's ops in this crate's: a line for each name, a file for each family.
//!
//! A translation takes operands and gives operands, and says which of their axes is the batch. It goes through
//! [`Reader::apply`], so that what is said for values holds for constants too, which are computed on the spot.

mod activations;
mod arithmetic;
mod attention;
mod bits;
mod blocks;
mod constants;
mod einsum;
mod entrywise;
mod fourier;
mod fused;
mod fused_attention;
mod grids;
mod gru;
mod images;
mod local_response;
mod log_sums;
mod loops;
mod losses;
mod lstm;
mod maps;
mod masks;
mod ml;
mod norms;
mod orders;
mod pads;
mod parts;
mod picks;
mod pools;
mod powers;
mod products;
mod puts;
mod quantised;
mod recurrence;
mod resize;
mod rnn;
mod running;
mod sequences;
mod shapes;
mod steps;
mod sums;
mod windows;

use super::array::Kind;
use super::call::Call;
use super::operand::Operand;
use super::reader::Reader;
use crate::error::{Error, Result};

/// What a node gives.
enum Translation {
    One(for<'a> fn(&mut Reader<'a>, &Call<'a>) -> Result<Operand>),
    Many(for<'a> fn(&mut Reader<'a>, &Call<'a>) -> Result<Vec<Operand>>),
    /// The reason why it is refused, and the remedy.
    Refused(&'static str),
}

use Translation::{Many, One, Refused};

const CHANCE: &str = "its result depends on chance; export the network in evaluation mode (net.eval())";
const DYNAMIC: &str = "its scale is computed from all entries, those of other samples too, and so mixes samples; quantise with \
                       fixed scales (static quantisation)";

/// Every op that is known, by its name in the format.
const OPS: &[(&str, Translation)] = &[
    ("Abs", One(activations::named)),
    ("Acos", One(activations::named)),
    ("Acosh", One(activations::named)),
    ("Add", One(arithmetic::add)),
    ("AffineGrid", One(grids::affine_grid)),
    ("And", One(masks::and)),
    ("ArgMax", One(orders::extreme)),
    ("ArgMin", One(orders::extreme)),
    ("Asin", One(activations::named)),
    ("Asinh", One(activations::named)),
    ("Atan", One(activations::named)),
    ("Atanh", One(activations::named)),
    ("Attention", One(attention::attention)),
    ("AveragePool", One(pools::average)),
    ("BatchNormalization", One(norms::batch)),
    ("Bernoulli", Refused(CHANCE)),
    ("BitShift", One(bits::shifted)),
    ("BitwiseAnd", One(bits::bitwise)),
    ("BitwiseNot", One(bits::bitwise)),
    ("BitwiseOr", One(bits::bitwise)),
    ("BitwiseXor", One(bits::bitwise)),
    ("Cast", One(masks::cast)),
    ("CastLike", One(masks::cast_like)),
    ("Ceil", One(steps::ceil)),
    ("Celu", One(activations::celu)),
    ("Clip", One(activations::clip)),
    ("Concat", One(parts::concat)),
    ("ConcatFromSequence", One(sequences::together)),
    ("Constant", One(constants::constant)),
    ("ConstantOfShape", One(constants::of_shape)),
    ("Conv", One(windows::conv)),
    ("ConvInteger", One(quantised::conv_integer)),
    ("ConvTranspose", One(windows::conv_transpose)),
    ("Cos", One(activations::named)),
    ("Cosh", One(activations::named)),
    ("CumSum", One(running::sum)),
    ("DFT", One(fourier::dft)),
    ("DepthToSpace", One(blocks::depth_to_space)),
    ("DequantizeLinear", One(quantised::dequantize)),
    ("Div", One(arithmetic::div)),
    ("Dropout", Many(constants::dropout)),
    ("DynamicQuantizeLinear", Refused(DYNAMIC)),
    ("Einsum", One(einsum::einsum)),
    ("Elu", One(activations::named)),
    ("Equal", One(masks::compared)),
    ("Erf", One(activations::named)),
    ("Exp", One(activations::named)),
    ("Expand", One(parts::expand)),
    ("EyeLike", One(constants::eye)),
    ("Flatten", One(shapes::flatten)),
    ("Floor", One(steps::floor)),
    ("GRU", Many(recurrence::layer::<gru::Gru>)),
    ("Gather", One(parts::gather)),
    ("GatherElements", One(picks::gather_elements)),
    ("GatherND", One(picks::gather_nd)),
    ("Gelu", One(activations::gelu)),
    ("Gemm", One(products::gemm)),
    ("GlobalAveragePool", One(pools::global_average)),
    ("GlobalLpPool", One(pools::global_lp)),
    ("GlobalMaxPool", One(pools::global_max)),
    ("Greater", One(masks::compared)),
    ("GreaterOrEqual", One(masks::compared)),
    ("GridSample", One(grids::grid_sample)),
    ("GroupNormalization", One(norms::group)),
    ("HardSigmoid", One(activations::hard_sigmoid)),
    ("HardSwish", One(activations::hard_swish)),
    ("Hardmax", One(orders::hardmax)),
    ("Identity", One(constants::identity)),
    ("If", Many(constants::branch)),
    ("InstanceNormalization", One(norms::instance)),
    ("IsInf", One(masks::is_infinite)),
    ("IsNaN", One(masks::is_nan)),
    ("LRN", One(local_response::lrn)),
    ("LSTM", Many(recurrence::layer::<lstm::Lstm>)),
    ("LayerNormalization", One(norms::layer)),
    ("LeakyRelu", One(activations::leaky_relu)),
    ("Less", One(masks::compared)),
    ("LessOrEqual", One(masks::compared)),
    ("Log", One(activations::log)),
    ("LogSoftmax", One(activations::softmax)),
    ("Loop", Many(loops::repeat)),
    ("LpNormalization", One(norms::lp)),
    ("LpPool", One(pools::lp)),
    ("MatMul", One(products::matmul)),
    ("MatMulInteger", One(quantised::matmul_integer)),
    ("Max", One(arithmetic::max)),
    ("MaxPool", One(pools::max)),
    ("Mean", One(arithmetic::mean)),
    ("MeanVarianceNormalization", One(norms::mean_variance)),
    ("Min", One(arithmetic::min)),
    ("Mish", One(activations::mish)),
    ("Mod", One(steps::modulo)),
    ("Mul", One(arithmetic::mul)),
    ("Multinomial", Refused(CHANCE)),
    ("Neg", One(activations::neg)),
    ("NegativeLogLikelihoodLoss", One(losses::negative_log_likelihood)),
    ("NonZero", One(masks::non_zero)),
    ("Not", One(masks::not)),
    ("OneHot", One(orders::one_hot)),
    ("Or", One(masks::or)),
    ("PRelu", One(norms::prelu)),
    ("Pad", One(pads::pad)),
    ("Pow", One(powers::pow)),
    ("QLinearConv", One(quantised::qlinear_conv)),
    ("QLinearMatMul", One(quantised::qlinear_matmul)),
    ("QuantizeLinear", One(quantised::quantize)),
    ("RMSNormalization", One(norms::rms)),
    ("RNN", Many(recurrence::layer::<rnn::Rnn>)),
    ("RandomNormal", Refused(CHANCE)),
    ("RandomNormalLike", Refused(CHANCE)),
    ("RandomUniform", Refused(CHANCE)),
    ("RandomUniformLike", Refused(CHANCE)),
    ("Range", One(constants::range)),
    ("Reciprocal", One(activations::reciprocal)),
    ("ReduceL1", One(sums::l1)),
    ("ReduceL2", One(sums::l2)),
    ("ReduceLogSum", One(log_sums::log_sum)),
    ("ReduceLogSumExp", One(log_sums::log_sum_exp)),
    ("ReduceMax", One(sums::max)),
    ("ReduceMean", One(sums::mean)),
    ("ReduceMin", One(sums::min)),
    ("ReduceProd", One(log_sums::product_over)),
    ("ReduceSum", One(sums::sum)),
    ("ReduceSumSquare", One(sums::sum_of_squares)),
    ("Relu", One(activations::named)),
    ("Reshape", One(shapes::reshape)),
    ("Resize", One(resize::resize)),
    ("RotaryEmbedding", One(fused_attention::rotary)),
    ("Round", One(steps::round)),
    ("STFT", One(fourier::stft)),
    ("Scan", Many(loops::scan)),
    ("Scatter", One(puts::scatter_elements)),
    ("ScatterElements", One(puts::scatter_elements)),
    ("ScatterND", One(puts::scatter_nd)),
    ("Selu", One(activations::selu)),
    ("SequenceAt", One(sequences::at)),
    ("SequenceConstruct", One(sequences::constructed)),
    ("SequenceEmpty", One(sequences::empty)),
    ("SequenceErase", One(sequences::erased)),
    ("SequenceInsert", One(sequences::inserted)),
    ("SequenceLength", One(sequences::length)),
    ("Shape", One(constants::shape)),
    ("Shrink", One(activations::shrink)),
    ("Sigmoid", One(activations::named)),
    ("Sign", One(steps::sign)),
    ("SimplifiedLayerNormalization", One(fused::simplified_layer_norm)),
    ("Sin", One(activations::named)),
    ("Sinh", One(activations::named)),
    ("Size", One(constants::size)),
    ("Slice", One(parts::slice)),
    ("Softmax", One(activations::softmax)),
    ("SoftmaxCrossEntropyLoss", Many(losses::softmax_cross_entropy)),
    ("Softplus", One(activations::softplus)),
    ("Softsign", One(activations::softsign)),
    ("SpaceToDepth", One(blocks::space_to_depth)),
    ("Split", Many(parts::split)),
    ("SplitToSequence", One(sequences::split)),
    ("Sqrt", One(activations::sqrt)),
    ("Squeeze", One(shapes::squeeze)),
    ("Sub", One(arithmetic::sub)),
    ("Sum", One(arithmetic::sum)),
    ("Swish", One(activations::swish)),
    ("Tan", One(activations::named)),
    ("Tanh", One(activations::named)),
    ("ThresholdedRelu", One(activations::thresholded_relu)),
    ("Tile", One(parts::tile)),
    ("TopK", Many(orders::top)),
    ("Transpose", One(shapes::transpose)),
    ("Trilu", One(running::trilu)),
    ("Unique", Refused("the number of results depends on the samples, so that their shape is not known")),
    ("Unsqueeze", One(shapes::unsqueeze)),
    ("Upsample", One(resize::resize)),
    ("Where", One(masks::chosen)),
    ("Xor", One(masks::xor)),
];

/// Ops whose result has the type of their first input: of integers it is integers, which are divided with a cut.
const KEEPING_TYPE: &[&str] = &[
    "Abs",
    "Add",
    "Clip",
    "CumSum",
    "Einsum",
    "Expand",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "MatMul",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Pad",
    "Pow",
    "ReduceL1",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "ScatterElements",
    "ScatterND",
    "Sign",
    "Sub",
    "Sum",
    "Tile",
    "TopK",
    "Trilu",
];

/// The ops of the domain com.microsoft, by name.
const MICROSOFT: &[(&str, Translation)] = &[
    ("Attention", Many(fused_attention::attention)),
    ("BiasAdd", One(fused::bias_add)),
    ("BiasGelu", One(fused::gelu)),
    ("BiasSplitGelu", One(fused::bias_split_gelu)),
    ("DequantizeLinear", One(quantised::dequantize)),
    ("DynamicQuantizeMatMul", Refused(DYNAMIC)),
    ("EmbedLayerNormalization", Many(fused::embed_layer_norm)),
    ("FastGelu", One(fused::gelu)),
    ("FusedConv", One(fused::conv)),
    ("FusedGemm", One(fused::fused_gemm)),
    ("FusedMatMul", One(fused::matmul)),
    ("Gelu", One(fused::gelu)),
    ("MultiHeadAttention", Many(fused_attention::multi_head)),
    ("QGemm", One(quantised::qgemm)),
    ("QLinearAdd", One(quantised::qlinear_pair)),
    ("QLinearGlobalAveragePool", One(quantised::qlinear_function)),
    ("QLinearLeakyRelu", One(quantised::qlinear_function)),
    ("QLinearMul", One(quantised::qlinear_pair)),
    ("QLinearSigmoid", One(quantised::qlinear_function)),
    ("QLinearSoftmax", One(quantised::qlinear_function)),
    ("QuantizeLinear", One(quantised::quantize)),
    ("QuickGelu", One(fused::quick_gelu)),
    ("RotaryEmbedding", One(fused_attention::rotary)),
    ("SimplifiedLayerNormalization", One(fused::simplified_layer_norm)),
    ("SkipLayerNormalization", Many(fused::skip_layer_norm)),
    ("SkipSimplifiedLayerNormalization", Many(fused::skip_layer_norm)),
];

/// What the node gives, output by output.
pub(super) fn node<'a>(reader: &mut Reader<'a>, call: &Call<'a>) -> Result<Vec<Operand>> {
    let mut results = translated(reader, call)?;
    let kind = call.optional(0).map_or(Kind::Float, |x| x.kind);
    if kind != Kind::Float && KEEPING_TYPE.contains(&call.node.op_type.as_str()) {
        results = results.into_iter().map(|x| x.of_kind(kind)).collect();
    }
    Ok(results)
}

fn translated<'a>(reader: &mut Reader<'a>, call: &Call<'a>) -> Result<Vec<Operand>> {
    match find(&call.node.domain, &call.node.op_type) {
        Some(One(translate)) => Ok(vec![translate(reader, call)?]),
        Some(Many(translate)) => translate(reader, call),
        Some(Refused(why)) => Err(Error::unsupported(*why)),
        None => Err(Error::unsupported(unknown(&call.node.domain))),
    }
}

/// The reason why an op cannot be read with any input, if there is one.
pub(super) fn refusal(domain: &str, op: &str) -> Option<String> {
    match find(domain, op) {
        Some(Refused(why)) => Some(why.to_string()),
        Some(_) => None,
        None => Some(unknown(domain)),
    }
}

fn find(domain: &str, op: &str) -> Option<&'static Translation> {
    let list = match domain {
        "ai.onnx.ml" => ml::OPS,
        "com.microsoft" => MICROSOFT,
        _ if is_standard(domain) => OPS,
        _ => return None,
    };
    list.iter().find(|(name, _)| *name == op).map(|(_, translation)| translation)
}

fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

fn unknown(domain: &str) -> String {
    if is_standard(domain) {
        "there is no rule for this op; write it with the ops there are, or record the network on a `Graph`".into()
    } else {
        format!("an op of the domain '{domain}', none of ONNX's own; export without fused or custom ops")
    }
}

#[cfg(test)]
mod tests {
    use super::{MICROSOFT, OPS};

    #[test]
    fn names_are_sorted_and_there_once() {
        for list in [OPS, MICROSOFT] {
            assert!(list.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
