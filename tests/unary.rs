//! All elementwise functions compared with mpmath, in both precisions, over the whole range of numbers.

use std::collections::BTreeSet;
use std::f64::consts::{FRAC_PI_2, PI};

use tangent_kernels::unary::{
    Abs, Acos, Acosh, Asin, Asinh, Atan, Atanh, Clamp, Cosh, Custom, Elu, Exp, Floor, Function, Gelu, HardTanh,
    LeakyRelu, Log, NormSqrt, Pow, Quantize, Reciprocal, Relu, Round, Shrink, Sigmoid, Sign, Silu, Sinh, Softplus,
    Sqrt, Tanh, ThresholdedRelu, Unary, Visit,
};
use tangent_kernels::{Attribute, Attributes, Batch, Cpu, Real, Sequential, Session};

/// The largest error of a value, in units in the last place.
const VALUE_ULPS: f64 = 4.0;
/// The largest error of a derivative, in machine epsilons times the largest of 1, |f| and the derivative.
const DERIVATIVE_EPSILONS: f64 = 4.0;
/// The functions with infinite or undefined values or derivatives. The table has them up to the largest and down to the
/// smallest normal number.
const UNBOUNDED: [&str; 12] =
    ["acos", "acosh", "asin", "atanh", "cosh", "exp", "log", "norm_sqrt", "pow", "reciprocal", "sinh", "sqrt"];
/// The functions that have no limit at the far ends, or derivatives that reach theirs slowly.
const WITHOUT_ENDS: [&str; 5] = ["asinh", "atan", "cos", "sin", "tan"];

/// A row of the table: one function at one point.
struct Row {
    f: Unary,
    x: f64,
    /// The value, the first and the second derivative.
    expected: [f64; 3],
}

/// The table, written by `tests/reference/make_unary.py`.
fn table() -> Vec<Row> {
    let lines = include_str!("reference/unary.tsv").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, parameters, x, value, first, second] = columns[..] else { panic!("six columns: {line}") };
        let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("a number: {text} in {line}"));
        let mut attributes = Attributes::default();
        for (key, setting) in parameters.split(',').filter_map(|parameter| parameter.split_once('=')) {
            let setting = setting.parse().map_or(Attribute::Text(setting.into()), Attribute::Number);
            attributes.insert(key, setting);
        }
        let f = Unary::parse(name, &attributes).unwrap_or_else(|| panic!("no function {name}")).unwrap();
        Row { f, x: number(x), expected: [number(value), number(first), number(second)] }
    };
    lines.map(row).collect()
}

/// The properties of a precision that the checks need.
trait Precision: Real {
    const DIGITS: i32;
    const SMALLEST_NORMAL: f64;
    const LARGEST: f64;
}

impl Precision for f32 {
    const DIGITS: i32 = f32::MANTISSA_DIGITS as i32;
    const SMALLEST_NORMAL: f64 = f32::MIN_POSITIVE as f64;
    const LARGEST: f64 = f32::MAX as f64;
}

impl Precision for f64 {
    const DIGITS: i32 = f64::MANTISSA_DIGITS as i32;
    const SMALLEST_NORMAL: f64 = f64::MIN_POSITIVE;
    const LARGEST: f64 = f64::MAX;
}

/// True if `expected` is NaN, infinite, or rounds to infinity in `R`.
fn off_the_scale<R: Precision>(expected: f64) -> bool {
    !R::from_f64(expected).is_finite()
}

/// The distance between neighbouring numbers of precision `R` at `x`, which is a normal number.
fn ulp<R: Precision>(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let spacing = exponent - (R::DIGITS - 1);
    // In two steps: 2^spacing may be subnormal.
    2f64.powi(spacing / 2) * 2f64.powi(spacing - spacing / 2)
}

/// f, f' and f'' at x.
fn evaluate<R: Real>(f: Unary, x: f64) -> [f64; 3] {
    let x = R::from_f64(x);
    let y = f.value(x);
    [y, f.first(x, y), f.second(x, y)].map(R::f64)
}

/// Adds a complaint if `R` does not reproduce the row. Returns the number of compared points.
fn compare<R: Precision>(row: &Row, complaints: &mut Vec<String>) -> usize {
    let Row { f, x, expected } = *row;
    if R::from_f64(x).f64() != x {
        return 0;
    }
    let got = evaluate::<R>(f, x);
    let mut check = |what: &str, got: f64, expected: f64, error: f64, allowed: f64, unit: &str| {
        // NaN must fail too.
        if error.is_nan() || error > allowed {
            let place = format!("{} of {f:?} in {} at x = {x:?}", what, R::NAME);
            complaints.push(format!("{place}: got {got:?}, expected {expected:?}, off by {error:.3} {unit}"));
        }
    };
    // NaN and infinities have no distance: they must be equal.
    let missed = |got: f64, expected: f64| {
        let met = got == R::from_f64(expected).f64() || (got.is_nan() && expected.is_nan());
        if met { 0.0 } else { f64::INFINITY }
    };
    if off_the_scale::<R>(expected[0]) {
        check("value", got[0], expected[0], missed(got[0], expected[0]), 0.0, "");
    } else if expected[0].abs() >= R::SMALLEST_NORMAL {
        check("value", got[0], expected[0], (got[0] - expected[0]).abs() / ulp::<R>(expected[0]), VALUE_ULPS, "ulp");
    } else {
        let error = (got[0] - expected[0]).abs() / R::SMALLEST_NORMAL;
        check("value", got[0], expected[0], error, 1.0, "times the smallest normal number");
    }
    for (what, order) in [("first derivative", 1), ("second derivative", 2)] {
        if off_the_scale::<R>(expected[order]) {
            check(what, got[order], expected[order], missed(got[order], expected[order]), 0.0, "");
            continue;
        }
        // An infinite value does not widen the bound.
        let value = if off_the_scale::<R>(expected[0]) { 0.0 } else { expected[0].abs() };
        let scale = R::EPSILON.f64() * value.max(expected[order].abs()).max(1.0);
        let error = (got[order] - expected[order]).abs() / scale;
        check(what, got[order], expected[order], error, DERIVATIVE_EPSILONS, "epsilon");
    }
    1
}

#[test]
fn values_and_derivatives_are_those_of_mpmath() {
    let (mut complaints, mut singles, mut doubles) = (Vec::new(), 0, 0);
    for row in table() {
        singles += compare::<f32>(&row, &mut complaints);
        doubles += compare::<f64>(&row, &mut complaints);
    }
    let shown = complaints.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} wrong, among them:\n{shown}", complaints.len());
    assert!(singles > 1500 && doubles > 3000, "only {singles} points in f32 and {doubles} in f64");
}

#[test]
fn every_function_is_in_the_table() {
    let rows = table();
    for case in Unary::cases() {
        let points = rows.iter().filter(|row| row.f == case).count();
        assert!(points >= 100, "{case:?} has {points} points in the table: add it to make_unary.py");
    }
    for row in &rows {
        assert!(Unary::cases().contains(&row.f), "{:?} of the table is missing in the cases", row.f);
    }
    let tried: BTreeSet<&str> = Unary::cases().into_iter().map(Unary::name).collect();
    let registered: BTreeSet<&str> = Unary::NAMES.iter().copied().collect();
    assert_eq!(tried, registered, "each function needs a case, and the name of its line in the registry");
    assert!(Unary::NAMES.is_sorted());
}

#[test]
fn derivatives_are_the_limits_of_differences() {
    let step = 1e-5;
    for f in Unary::cases().into_iter().filter(|f| !f.stops_gradients()) {
        for k in -600..=600 {
            let x = f64::from(k) * 0.01 + 0.0003;
            let [low, high] = f.domain();
            if f.kinks().iter().any(|kink| (kink - x).abs() < 2.0 * step) || x < low || x > high {
                continue;
            }
            let ([left, left_first, _], [right, right_first, _]) =
                (evaluate::<f64>(f, x - step), evaluate::<f64>(f, x + step));
            let [_, first, second] = evaluate::<f64>(f, x);
            let (rise, bend) = ((right - left) / (2.0 * step), (right_first - left_first) / (2.0 * step));
            // Relative if the derivative is large.
            let allowed = |derivative: f64| 1e-9 * derivative.abs().max(1.0);
            let near = (rise - first).abs() < allowed(first);
            assert!(near, "first derivative of {f:?} at {x}: {first}, by differences {rise}");
            let near = (bend - second).abs() < allowed(second);
            assert!(near, "second derivative of {f:?} at {x}: {second}, by differences {bend}");
        }
    }
}

#[test]
fn kinks_have_the_derivatives_of_pytorch() {
    fn check<R: Precision>() {
        for zero in [0.0, -0.0] {
            assert_eq!(evaluate::<R>(Relu.into(), zero), [0.0, 0.0, 0.0]);
            assert_eq!(evaluate::<R>(LeakyRelu { slope: 0.25 }.into(), zero), [0.0, 0.25, 0.0]);
            assert_eq!(evaluate::<R>(Elu { alpha: 0.75 }.into(), zero), [0.0, 0.75, 0.75]);
            assert_eq!(evaluate::<R>(Abs.into(), zero), [0.0, 0.0, 0.0]);
            assert_eq!(evaluate::<R>(Clamp { min: 0.0, max: 6.0 }.into(), zero), [0.0, 1.0, 0.0]);
            assert_eq!(evaluate::<R>(HardTanh { min: 0.0, max: 6.0 }.into(), zero), [0.0; 3]);
            assert_eq!(evaluate::<R>(NormSqrt.into(), zero), [0.0; 3]);
            assert_eq!(evaluate::<R>(Sign.into(), zero), [0.0, 0.0, 0.0]);
        }
        for step in [-2.0, 0.0, 3.0] {
            assert_eq!(evaluate::<R>(Floor.into(), step), [step, 0.0, 0.0]);
            let even = if step == 3.0 { 4.0 } else { step };
            assert_eq!(evaluate::<R>(Round.into(), step + 0.5), [even, 0.0, 0.0]);
        }
        for bound in [-1.0, 0.5] {
            assert_eq!(evaluate::<R>(Clamp { min: -1.0, max: 0.5 }.into(), bound), [bound, 1.0, 0.0]);
            assert_eq!(evaluate::<R>(HardTanh { min: -1.0, max: 0.5 }.into(), bound), [bound, 0.0, 0.0]);
        }
        for edge in [-0.5, 0.5] {
            assert_eq!(evaluate::<R>(Shrink { lambda: 0.5, bias: 0.5 }.into(), edge), [0.0; 3]);
        }
        assert_eq!(evaluate::<R>(ThresholdedRelu { alpha: 1.0 }.into(), 1.0), [0.0; 3]);
        // By torch.fake_quantize_per_tensor_affine with scale 1, zero point 0 and these bounds.
        let quantize = Quantize { min: -2.0, max: 1.0 }.into();
        for (x, value, slope) in
            [(-2.5, -2.0, 1.0), (-2.75, -2.0, 0.0), (0.5, 0.0, 1.0), (1.5, 1.0, 0.0), (1.25, 1.0, 1.0)]
        {
            assert_eq!(evaluate::<R>(quantize, x), [value, slope, 0.0], "at {x}");
        }
        let point = Clamp { min: 0.5, max: 0.5 }.into();
        assert_eq!(
            [-2.0, 0.5, 2.0].map(|x| evaluate::<R>(point, x)),
            [[0.5, 0.0, 0.0], [0.5, 1.0, 0.0], [0.5, 0.0, 0.0]]
        );
    }
    check::<f32>();
    check::<f64>();
    let kinked: BTreeSet<_> = Unary::cases().into_iter().filter(|f| !f.kinks().is_empty()).map(Unary::name).collect();
    let expected = [
        "abs",
        "acos",
        "acosh",
        "asin",
        "atanh",
        "clamp",
        "elu",
        "floor",
        "hard_tanh",
        "leaky_relu",
        "log",
        "norm_sqrt",
        "pow",
        "quantize",
        "reciprocal",
        "relu",
        "round",
        "shrink",
        "sign",
        "sqrt",
        "thresholded_relu",
    ];
    assert_eq!(kinked, BTreeSet::from(expected));
}

#[test]
fn the_far_ends_are_finite() {
    fn check<R: Precision>() {
        for f in Unary::cases().into_iter().filter(|f| !UNBOUNDED.contains(&f.name())) {
            for x in [R::LARGEST, 1e30, 1e19, 1e5, 1000.0, 100.0, R::SMALLEST_NORMAL, 0.0] {
                for x in [x, -x] {
                    let got = evaluate::<R>(f, x);
                    assert!(got.iter().all(|y| y.is_finite()), "{f:?} in {} at {x:?}: {got:?}", R::NAME);
                }
            }
            // There is no limit, or the derivative is 0 by definition.
            if WITHOUT_ENDS.contains(&f.name()) || f.stops_gradients() {
                continue;
            }
            for sign in [1.0, -1.0] {
                let [value, first, second] = evaluate::<R>(f, sign * f64::INFINITY);
                let [far_value, far_first, far_second] = evaluate::<R>(f, sign * 1e4);
                let place = format!("{f:?} in {} at infinity times {sign}", R::NAME);
                assert_eq!((first, second), (far_first, far_second), "derivatives of {place}");
                if value.is_infinite() {
                    let grows = far_first != 0.0 || f.is_piecewise_constant();
                    assert!(value.signum() == far_value.signum() && grows, "{place}: {value}");
                } else {
                    assert_eq!(value, far_value, "{place}")
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn the_values_at_the_infinities() {
    fn check<R: Precision>() {
        let infinity = f64::INFINITY;
        let ends: [(Unary, f64, f64); 27] = [
            (Abs.into(), infinity, infinity),
            (Acos.into(), f64::NAN, f64::NAN),
            (Acosh.into(), f64::NAN, infinity),
            (Asin.into(), f64::NAN, f64::NAN),
            (Asinh.into(), -infinity, infinity),
            (Atan.into(), -R::from_f64(FRAC_PI_2).f64(), R::from_f64(FRAC_PI_2).f64()),
            (Atanh.into(), f64::NAN, f64::NAN),
            (Cosh.into(), infinity, infinity),
            (HardTanh { min: -1.0, max: 0.5 }.into(), -1.0, 0.5),
            (Shrink { lambda: 0.5, bias: 0.5 }.into(), -infinity, infinity),
            (Sinh.into(), -infinity, infinity),
            (Clamp { min: -1.0, max: 0.5 }.into(), -1.0, 0.5),
            (Elu { alpha: 0.75 }.into(), -0.75, infinity),
            (Exp.into(), 0.0, infinity),
            (Floor.into(), -infinity, infinity),
            (Gelu { approximate: false }.into(), -0.0, infinity),
            (Gelu { approximate: true }.into(), -0.0, infinity),
            (LeakyRelu { slope: 0.25 }.into(), -infinity, infinity),
            (LeakyRelu { slope: 0.0 }.into(), 0.0, infinity),
            (Reciprocal.into(), -0.0, 0.0),
            (Relu.into(), 0.0, infinity),
            (Round.into(), -infinity, infinity),
            (Sigmoid.into(), 0.0, 1.0),
            (Sign.into(), -1.0, 1.0),
            (Silu.into(), -0.0, infinity),
            (Softplus.into(), 0.0, infinity),
            (Tanh.into(), -1.0, 1.0),
        ];
        for (f, left, right) in ends {
            for (x, expected) in [(-infinity, left), (infinity, right)] {
                // By bits, so that -0 and 0 differ.
                let got = f.value(R::from_f64(x)).f64();
                let met = got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan());
                assert!(met, "{f:?} in {} at {x}: {got:?}", R::NAME);
            }
        }
        assert_eq!(Softplus.value(R::from_f64(1000.0)).f64(), 1000.0);
        assert_eq!(Silu.value(R::from_f64(-1000.0)).f64(), 0.0);
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn the_unbounded_functions_at_zero_and_at_the_infinities() {
    fn check<R: Precision>() {
        let (infinity, nan) = (f64::INFINITY, [f64::NAN; 3]);
        let (right_pole, left_pole) = ([infinity, -infinity, infinity], [-infinity; 3]);
        let (no_slope, logs_pole, roots_end) =
            ([infinity, 0.0, 0.0], [-infinity, infinity, -infinity], [0.0, infinity, -infinity]);
        // At -infinity, -1, -0, 0 and infinity. The table has the rest.
        let (zero, one) = ([0.0, 1.0, 0.0], 1f64);
        let (left, right) = ([-FRAC_PI_2, infinity, -infinity], [PI, -infinity, infinity]);
        let (sinh, cosh) = ([-one.sinh(), one.cosh(), -one.sinh()], [one.cosh(), -one.sinh(), one.cosh()]);
        let (sinhs_end, cosh_of_zero) = ([-infinity, infinity, -infinity], [1.0, 0.0, 1.0]);
        let (no_bend, powers_end) = ([0.0, 0.0, infinity], [infinity, infinity, 0.0]);
        let ends: [(Unary, [[f64; 3]; 5]); 12] = [
            (Acos.into(), [nan, right, [FRAC_PI_2, -1.0, 0.0], [FRAC_PI_2, -1.0, 0.0], nan]),
            (Acosh.into(), [nan, nan, nan, nan, no_slope]),
            (Asin.into(), [nan, left, zero, zero, nan]),
            (Atanh.into(), [nan, sinhs_end, zero, zero, nan]),
            (Cosh.into(), [right_pole, cosh, cosh_of_zero, cosh_of_zero, [infinity; 3]]),
            (Exp.into(), [[0.0; 3], [(-1f64).exp(); 3], [1.0; 3], [1.0; 3], [infinity; 3]]),
            (Log.into(), [nan, nan, logs_pole, logs_pole, no_slope]),
            (NormSqrt.into(), [nan, nan, [0.0; 3], [0.0; 3], no_slope]),
            (Pow { exponent: 1.75 }.into(), [nan, nan, no_bend, no_bend, powers_end]),
            (Reciprocal.into(), [[0.0; 3], [-1.0, -1.0, -2.0], left_pole, right_pole, [0.0; 3]]),
            (Sinh.into(), [sinhs_end, sinh, zero, zero, [infinity; 3]]),
            (Sqrt.into(), [nan, nan, roots_end, roots_end, no_slope]),
        ];
        for (f, expected) in ends {
            for (x, expected) in [-infinity, -1.0, -0.0, 0.0, infinity].into_iter().zip(expected) {
                let got = evaluate::<R>(f, x);
                let near = |(got, expected): (&f64, &f64)| {
                    if expected.is_finite() {
                        (got - expected).abs() <= R::EPSILON.f64() * expected.abs().max(1.0)
                    } else {
                        got == expected || (got.is_nan() && expected.is_nan())
                    }
                };
                assert!(
                    got.iter().zip(&expected).all(near),
                    "{f:?} in {} at {x}: {got:?}, expected {expected:?}",
                    R::NAME
                );
            }
        }
        assert_eq!(ends.map(|(f, _)| f.name()), UNBOUNDED, "each of them is here");
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn nan_stays_nan() {
    fn check<R: Precision>() {
        for f in Unary::cases().into_iter().chain([LeakyRelu { slope: 0.0 }.into()]) {
            let got = evaluate::<R>(f, f64::NAN);
            assert!(got.iter().all(|y| y.is_nan()), "{f:?} in {}: {got:?}", R::NAME);
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn parsing_names_the_culprit() {
    let none = Attributes::default();
    assert!(Unary::parse("coth", &none).is_none());
    assert_eq!(Unary::parse("gelu", &none).unwrap().unwrap(), Gelu { approximate: false }.into());
    for (name, key) in [("elu", "alpha"), ("leaky_relu", "slope")] {
        let missing = Unary::parse(name, &none).unwrap().unwrap_err();
        assert!(missing.is_name(), "{missing}");
        assert!(
            missing.to_string().starts_with(&format!("{name}: ")) && missing.to_string().contains(key),
            "{missing}"
        );
        for wrong in [Attribute::Number(1e39), Attribute::Number(f64::NAN), Attribute::Text("steep".into())] {
            let refused = Unary::parse(name, &Attributes::from([(key, wrong)])).unwrap().unwrap_err();
            assert!(refused.is_value(), "{refused}");
            assert!(refused.to_string().starts_with(&format!("{name}: ")), "{refused}");
        }
    }
    let clamp = |bounds: &[(&str, f64)]| {
        let mut attributes = Attributes::default();
        bounds.iter().for_each(|&(key, bound)| attributes.insert(key, Attribute::Number(bound)));
        Unary::parse("clamp", &attributes).unwrap()
    };
    assert_eq!(clamp(&[("min", -1.0), ("max", -1.0)]).unwrap(), Clamp { min: -1.0, max: -1.0 }.into());
    for (there, missing) in [("min", "'max'"), ("max", "'min'")] {
        let refused = clamp(&[(there, 1.0)]).unwrap_err();
        assert!(refused.is_name() && refused.to_string().starts_with("clamp: "), "{refused}");
        assert!(refused.to_string().contains(missing), "{refused}");
    }
    for (min, max) in [(1.0, 0.5), (-1e39, 0.5), (0.5, 1e39)] {
        let refused = clamp(&[("min", min), ("max", max)]).unwrap_err();
        assert!(refused.is_value() && refused.to_string().starts_with("clamp: "), "{refused}");
    }
    for wrong in [Attribute::Text("fast".into()), Attribute::Flag(true)] {
        let refused = Unary::parse("gelu", &Attributes::from([("approximate", wrong)])).unwrap().unwrap_err();
        assert!(refused.is_value() && refused.to_string().starts_with("gelu: "), "{refused}");
    }
}

#[test]
fn a_visitor_meets_the_function_itself() {
    struct At(f64);
    impl Visit for At {
        type Output = (&'static str, u64);
        fn visit<F: Function>(self, f: F) -> Self::Output {
            (f.name(), f.value(self.0).to_bits())
        }
    }
    for f in Unary::cases() {
        assert_eq!(f.visit(At(0.7)), (f.name(), f.value(0.7f64).to_bits()));
    }
}

/// tanh by the standard library, as a user would write it.
fn own_tanh() -> Unary {
    let slope = |x: f64| 1.0 - x.tanh() * x.tanh();
    Custom::new("own_tanh", f64::tanh, slope, |x| -2.0 * x.tanh() * (1.0 - x.tanh() * x.tanh())).into()
}

#[test]
fn a_custom_function_is_evaluated_in_both_precisions() {
    let f = own_tanh();
    assert_eq!(f.name(), "own_tanh");
    assert_eq!(f, own_tanh());
    assert_ne!(f, Custom::new("own_tanh", f64::tanh, f64::tanh, f64::tanh).into());
    for x in [-2.0, 0.0, 0.5f64] {
        let y = x.tanh();
        assert_eq!(evaluate::<f64>(f, x), [y, 1.0 - y * y, -2.0 * y * (1.0 - y * y)]);
        assert_eq!(evaluate::<f32>(f, x)[0], f64::from(y as f32));
    }
    assert!(Unary::parse("own_tanh", &Attributes::default()).is_none());
    assert!(!Unary::cases().contains(&f));
}

#[test]
fn a_custom_function_is_an_activation_of_a_network() {
    let kernel = |f: Unary| {
        let mut model = Sequential::standard(&[2]).mlp_without_bias(&[3, 1], f).build().unwrap();
        model.set("d1.weight", &[3, 2], vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
        model.set("d2.weight", &[1, 3], vec![1.0, -1.0, 1.0]).unwrap();
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let kernel = session.ntk().compute(&Batch::new(&[1.0, 0.0, 0.5, 1.0], &[2, 2]).unwrap()).unwrap();
        kernel.total().as_slice().to_vec()
    };
    for (own, built_in) in kernel(own_tanh()).into_iter().zip(kernel(Tanh.into())) {
        assert!((own - built_in).abs() <= 1e-14 * built_in.abs(), "{own} and {built_in}");
    }
}
