//! The checker for ops, both of this crate and of users.
//!
//! [`op`] runs a [`Case`] on three samples in both precisions and compares:
//!
//! - the shape rule with the shape of the result,
//! - a batch with its samples one by one,
//! - forward mode with central differences,
//! - forward mode with the reverse rule, for each input and parameter, by the adjoint identity `<u, J v> = <J^T u, v>`,
//! - the derivative of the reverse rule with differences of it,
//! - all readings of every factor with the Jacobian from forward mode, entry by entry.
//!
//! [`op_on`] does the same on any backend, without differences.
//!
//! ```
//! use tangent_kernels::check;
//! use tangent_kernels::ops::{Linear, Op};
//! for case in Linear::cases() {
//!     check::op(&case)?;
//! }
//! # Ok::<(), check::Failure>(())
//! ```

mod point;

use std::fmt;

use crate::backend::{Arrays, Cpu, Dual, DualTensor, Storage};
use crate::factor::{Factor, InputOperand};
use crate::ops::{Case, Op, OpContext};
use crate::real::Real;
use crate::shape::numel;
use point::{Host, Numbers, Point};

/// A failed check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// The op with its attributes and shapes.
    pub case: String,
    /// The name of the check.
    pub check: String,
    /// The error relative to the largest compared value.
    pub error: f64,
    /// The largest allowed error.
    pub tolerance: f64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { case, check, error, tolerance } = self;
        write!(f, "{case}: {check}: the error is {error:.2e}, but at most {tolerance:.2e} is allowed")
    }
}

impl std::error::Error for Failure {}

/// The number of samples in a check.
const SAMPLES: usize = 3;
/// The step of central differences.
const STEP: f64 = 1e-5;
/// The accuracy of central differences with this step.
const DIFFERENCES: f64 = 1e-8;

/// Checks one case of an op on the CPU.
///
/// # Errors
/// The first failed check.
pub fn op<O: Op>(case: &Case<O>) -> Result<(), Failure> {
    let run = Run::new(case);
    run.shapes()?;
    run.differences()?;
    run.on(&Cpu::<f64>::new())?;
    run.on(&Cpu::<f32>::new())
}

/// Checks one case of an op on a backend, in the backend's precision. The checks are those of [`op`] without differences.
/// The result and the reverse rule are also compared with the CPU in `f64`.
///
/// Central differences are omitted because they have only two correct digits in `f32`. [`op`] compares forward mode with
/// differences. This function compares forward mode with the reverse rule.
///
/// ```
/// use tangent_kernels::ops::{Linear, Op};
/// use tangent_kernels::{Cpu, check};
/// for case in Linear::cases() {
///     check::op_on(&case, &Cpu::<f32>::new())?;
/// }
/// # Ok::<(), check::Failure>(())
/// ```
///
/// # Errors
/// The first failed check, or an error of the backend.
pub fn op_on<O: Op, B: Arrays>(case: &Case<O>, arrays: &B) -> Result<(), Failure> {
    let run = Run::new(case);
    run.shapes()?;
    run.as_on_the_cpu(arrays)?;
    run.on(arrays)
}

/// Checks every case of a set of ops and returns the number of cases.
///
/// # Errors
/// The first failed check.
pub fn all<O: Op>() -> Result<usize, Failure> {
    let cases = O::cases();
    cases.iter().try_for_each(op)?;
    Ok(cases.len())
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

struct Run<'a, O> {
    case: &'a Case<O>,
    point: Point,
    direction: Point,
    /// u, the cotangent of the result.
    cotangent: Host,
}

impl<'a, O: Op> Run<'a, O> {
    fn new(case: &'a Case<O>) -> Self {
        let mut numbers = Numbers(0);
        let inputs = case.inputs.iter().enumerate();
        let inputs = inputs.map(|(k, shape)| input(case, k, shape, &mut numbers)).collect();
        let parameters = case.parameters.iter().enumerate();
        let parameters = parameters.map(|(k, shape)| parameter(case, k, shape, &mut numbers)).collect();
        let point = Point { inputs, parameters };
        let inputs = case.inputs.iter().enumerate();
        let inputs = inputs.map(|(k, shape)| input_direction(case, k, shape, &mut numbers)).collect();
        let parameters = case.parameters.iter().enumerate();
        let parameters = parameters.map(|(k, shape)| parameter_direction(case, k, shape, &mut numbers)).collect();
        let direction = Point { inputs, parameters };
        let mut run = Run { case, point, direction, cotangent: Host::new(Vec::new(), Vec::new()) };
        let arrays = Cpu::<f64>::new();
        let y = run.forward(&arrays, &run.point);
        let shape = arrays.shape(&y).to_vec();
        run.cotangent = Host::new(shape.clone(), Numbers(1000).list(numel(&shape)));
        run
    }

    fn expect(&self, check: impl Into<String>, error: f64, tolerance: f64) -> Result<(), Failure> {
        // A NaN error is not below any tolerance, so it fails.
        if error <= tolerance { Ok(()) } else { Err(self.failure(check, error, tolerance)) }
    }

    fn failure(&self, check: impl Into<String>, error: f64, tolerance: f64) -> Failure {
        let case =
            format!("{:?} on inputs {:?}, parameters {:?}", self.case.op, self.case.inputs, self.case.parameters);
        Failure { case, check: check.into(), error, tolerance }
    }

    /// The entries of an array. Reading from a device may fail.
    fn get<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> Result<Vec<f64>, Failure> {
        match arrays.read(x) {
            Ok(entries) => Ok(entries.into_iter().map(Real::f64).collect()),
            Err(error) => Err(self.failure(format!("reading an array: {error}"), f64::INFINITY, 0.0)),
        }
    }

    /// The allowed distance of two results in precision `R`, proportional to its epsilon.
    fn tolerance<R: Real>(&self) -> f64 {
        let hosts = self.point.inputs.iter().chain(&self.point.parameters);
        let longest = hosts.map(|host| host.data.len()).max().unwrap_or(1);
        8.0 * R::EPSILON.f64() * (longest as f64).sqrt().max(4.0)
    }

    /// Compares two lists, relative to the largest entry or to 1 if that is larger.
    fn agree(&self, check: impl Into<String>, got: &[f64], expected: &[f64], tolerance: f64) -> Result<(), Failure> {
        let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
        let error = |(x, y): (&f64, &f64)| (x - y).abs() / scale;
        let errors = got.iter().zip(expected).map(error);
        let worst = errors
            .fold(0.0f64, |worst, error| if worst.is_nan() || error.is_nan() { f64::NAN } else { worst.max(error) });
        self.expect(check, if got.len() == expected.len() { worst } else { f64::INFINITY }, tolerance)
    }

    fn in_context<B: Arrays, T>(
        &self,
        arrays: &B,
        inputs: &[B::Tensor],
        parameters: &[B::Tensor],
        call: impl FnOnce(&OpContext<'_, B>) -> T,
    ) -> T {
        let inputs: Vec<_> = inputs.iter().collect();
        let parameters: Vec<_> = parameters.iter().collect();
        call(&OpContext { arrays, inputs: &inputs, parameters: &parameters })
    }

    fn forward<B: Arrays>(&self, arrays: &B, point: &Point) -> B::Tensor {
        let inputs = put_all(arrays, &point.inputs);
        let parameters = put_all(arrays, &point.parameters);
        self.in_context(arrays, &inputs, &parameters, |ctx| self.case.op.forward(ctx))
    }

    fn reverse_at<B: Arrays>(&self, arrays: &B, point: &Point) -> Result<Vec<B::Tensor>, Failure> {
        self.reverse(arrays, &put_all(arrays, &point.inputs), &put_all(arrays, &point.parameters))
    }

    /// The cotangents of all inputs and the gradients of all parameters, for the cotangent u.
    fn reverse<B: Arrays>(
        &self,
        arrays: &B,
        inputs: &[B::Tensor],
        parameters: &[B::Tensor],
    ) -> Result<Vec<B::Tensor>, Failure> {
        let dy = self.cotangent.put(arrays);
        let derivatives = |ctx: &OpContext<'_, B>| {
            let y = self.case.op.forward(ctx);
            let pulled = (0..inputs.len()).map(|k| Ok(self.case.op.pull(ctx, &y, &dy, k)));
            let gradients = self.factored().map(|k| Ok(self.factor(ctx, &y, &dy, k)?.gradient(arrays)));
            pulled.chain(gradients).collect()
        };
        self.in_context(arrays, inputs, parameters, derivatives)
    }

    fn factor<B: Arrays>(
        &self,
        ctx: &OpContext<'_, B>,
        y: &B::Tensor,
        dy: &B::Tensor,
        k: usize,
    ) -> Result<Factor<B>, Failure> {
        let left = self.case.op.input_operand(ctx, k);
        self.expect(format!("a factor for parameter {k}"), if left.is_some() { 0.0 } else { f64::INFINITY }, 0.0)?;
        let left = left.expect("the check above rejects a missing factor");
        let right = match left {
            InputOperand::Rows => self.case.op.rows(ctx, y, dy, k),
            _ => dy.clone(),
        };
        Ok(Factor::new(left, right))
    }

    /// The parameters for which the op has factors.
    fn factored(&self) -> impl Iterator<Item = usize> {
        (0..self.case.parameters.len()).filter(|k| !self.case.buffers.contains(k))
    }

    /// Checks that the shape rule gives the result's shape and that it rejects missing inputs with an error.
    fn shapes(&self) -> Result<(), Failure> {
        let slices = |shapes: &'a [Vec<usize>]| shapes.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let shape = self.case.op.shape(&slices(&self.case.inputs), &slices(&self.case.parameters));
        let right = shape.is_ok_and(|shape| shape == self.cotangent.shape[1..]);
        self.expect("the shape rule and the result's shape", if right { 0.0 } else { f64::INFINITY }, 0.0)?;
        let rejected = self.case.op.shape(&[], &[]).is_err();
        self.expect("the shape rule refuses no inputs", if rejected { 0.0 } else { f64::INFINITY }, 0.0)
    }

    /// Compares forward mode with central differences of the result, and the derivative of the reverse rule with central
    /// differences of it.
    fn differences(&self) -> Result<(), Failure> {
        let cpu = Cpu::<f64>::new();
        let ahead = self.point.moved(&self.direction, STEP);
        let behind = self.point.moved(&self.direction, -STEP);
        let values = |point: &Point| self.get(&cpu, &self.forward(&cpu, point));
        let Lifted { dual, inputs, parameters } = self.lifted(&cpu, |_| true);
        let y = self.in_context(&dual, &inputs, &parameters, |ctx| self.case.op.forward(ctx));
        let jv = self.get(&cpu, &dual.tangent(&y))?;
        self.agree(
            "J v by forward mode and by central differences",
            &jv,
            &difference(&values(&ahead)?, &values(&behind)?),
            DIFFERENCES,
        )?;

        let ahead = self.reverse_at(&cpu, &ahead)?;
        let behind = self.reverse_at(&cpu, &behind)?;
        for (k, second) in self.reverse(&dual, &inputs, &parameters)?.iter().enumerate() {
            let expected = difference(&self.get(&cpu, &ahead[k])?, &self.get(&cpu, &behind[k])?);
            let argument = self.argument(self.arguments()[k]);
            let name = format!("the derivative of the reverse rule of {argument} and central differences");
            self.agree(name, &self.get(&cpu, &dual.tangent(second))?, &expected, DIFFERENCES)?;
        }
        Ok(())
    }

    /// Compares the result and the reverse rule with the CPU in `f64`, for the same numbers.
    fn as_on_the_cpu<B: Arrays>(&self, arrays: &B) -> Result<(), Failure> {
        let cpu = Cpu::<f64>::new();
        let point = self.point.rounded::<B::Number>();
        let tolerance = self.tolerance::<B::Number>();
        let named = |what: &str| format!("{what} and the CPU's, in {}", B::Number::NAME);
        let expected = self.get(&cpu, &self.forward(&cpu, &point))?;
        self.agree(named("the result"), &self.get(arrays, &self.forward(arrays, &point))?, &expected, tolerance)?;
        let expected = self.reverse_at(&cpu, &point)?;
        let got = self.reverse_at(arrays, &point)?;
        for ((got, expected), k) in got.iter().zip(&expected).zip(self.arguments()) {
            let name = named(&format!("the reverse rule of {}", self.argument(k)));
            self.agree(name, &self.get(arrays, got)?, &self.get(&cpu, expected)?, tolerance)?;
        }
        Ok(())
    }

    /// All checks without differences on a backend. Tolerances are proportional to the epsilon of its precision.
    fn on<B: Arrays>(&self, arrays: &B) -> Result<(), Failure> {
        let tolerance = self.tolerance::<B::Number>();
        let named = |what: &str| format!("{what}, in {}", B::Number::NAME);

        let together = self.get(arrays, &self.forward(arrays, &self.point))?;
        let sample = |n: usize| self.get(arrays, &self.forward(arrays, &self.point.samples(n..n + 1)));
        let one_by_one = (0..SAMPLES).map(sample).collect::<Result<Vec<_>, _>>()?.concat();
        self.agree(named("a batch and its samples one by one"), &together, &one_by_one, tolerance)?;

        let inputs = put_all(arrays, &self.point.inputs);
        let parameters = put_all(arrays, &self.point.parameters);
        let pulled = self.reverse(arrays, &inputs, &parameters)?;
        let directions: Vec<&Host> = self.direction.inputs.iter().chain(&self.direction.parameters).collect();
        for (pulled, k) in pulled.iter().zip(self.arguments()) {
            let direction = directions[k];
            let jv = self.jv(arrays, k, None)?;
            let forward = dot(&self.cotangent.data, &jv);
            let reverse = dot(&self.get(arrays, pulled)?, &direction.data);
            let name = named(&format!("the adjoint <u, J v> = <J^T u, v> of {}", self.argument(k)));
            let terms = jv.iter().zip(&self.cotangent.data).map(|(x, u)| (x * u).abs()).sum::<f64>();
            self.expect(name, (forward - reverse).abs() / terms.max(1.0), tolerance)?;
        }
        for k in self.factored() {
            self.factor_readings(arrays, &inputs, &parameters, k, tolerance)?;
        }
        Ok(())
    }

    /// Compares a parameter's factor with the Jacobian from forward mode, entry by entry of the parameter.
    fn factor_readings<B: Arrays>(
        &self,
        arrays: &B,
        inputs: &[B::Tensor],
        parameters: &[B::Tensor],
        k: usize,
        tolerance: f64,
    ) -> Result<(), Failure> {
        let size = numel(&self.case.parameters[k]);
        let per_sample = numel(&self.cotangent.shape[1..]);
        let mut rows = vec![0.0; SAMPLES * size];
        for entry in 0..size {
            let column = self.jv(arrays, inputs.len() + k, Some(entry))?;
            for n in 0..SAMPLES {
                let sample = n * per_sample..(n + 1) * per_sample;
                rows[n * size + entry] = dot(&column[sample.clone()], &self.cotangent.data[sample]);
            }
        }
        let row = |n: usize| &rows[n * size..(n + 1) * size];
        let dy = self.cotangent.put(arrays);
        let factor =
            self.in_context(arrays, inputs, parameters, |ctx| self.factor(ctx, &self.case.op.forward(ctx), &dy, k))?;
        let named = |what: &str| format!("{what} of parameter {k} and forward mode, in {}", B::Number::NAME);
        self.agree(named("the factor's Jacobian"), &self.get(arrays, &factor.jacobian(arrays))?, &rows, tolerance)?;

        let direction = &self.direction.parameters[k];
        let flat = Host::new(vec![size], direction.data.clone());
        let jv: Vec<f64> = (0..SAMPLES).map(|n| dot(row(n), &direction.data)).collect();
        self.agree(
            named("the factor's J v"),
            &self.get(arrays, &factor.jv(arrays, &flat.put(arrays)))?,
            &jv,
            tolerance,
        )?;

        let weights = Host::new(vec![SAMPLES], vec![0.5, -1.0, 2.0]);
        let jtu: Vec<f64> = (0..size).map(|p| (0..SAMPLES).map(|n| weights.data[n] * row(n)[p]).sum()).collect();
        self.agree(
            named("the factor's J^T u"),
            &self.get(arrays, &factor.jtu(arrays, &weights.put(arrays)))?,
            &jtu,
            tolerance,
        )?;

        let gram: Vec<f64> = (1..SAMPLES).flat_map(|n| (0..SAMPLES).map(move |m| dot(row(n), row(m)))).collect();
        let part = factor.rows(arrays, 1..SAMPLES).gram(arrays, &factor);
        self.agree(named("the factor's Gram"), &self.get(arrays, &part)?, &gram, tolerance)
    }

    /// J v by forward mode, along the direction of argument k or along one of its entries.
    fn jv<B: Arrays>(&self, arrays: &B, k: usize, entry: Option<usize>) -> Result<Vec<f64>, Failure> {
        let Lifted { dual, mut inputs, mut parameters } =
            self.lifted(arrays, |argument| argument == k && entry.is_none());
        if let Some(entry) = entry {
            let count = self.point.inputs.len();
            let (host, lifted) = if k < count {
                (&self.point.inputs[k], &mut inputs[k])
            } else {
                (&self.point.parameters[k - count], &mut parameters[k - count])
            };
            let mut unit = Host::new(host.shape.clone(), vec![0.0; host.data.len()]);
            unit.data[entry] = 1.0;
            *lifted = dual.lift(&host.put(arrays), Some(&unit.put(arrays)));
        }
        let y = self.in_context(&dual, &inputs, &parameters, |ctx| self.case.op.forward(ctx));
        self.get(arrays, &dual.tangent(&y))
    }

    /// Inputs and parameters as dual numbers. Arguments for which `moves` is true have the direction as tangent.
    fn lifted<B: Arrays>(&self, arrays: &B, moves: impl Fn(usize) -> bool) -> Lifted<B> {
        let dual = Dual::new(arrays.clone());
        let lift =
            |k: usize, (x, d): (&Host, &Host)| dual.lift(&x.put(arrays), moves(k).then(|| d.put(arrays)).as_ref());
        let count = self.point.inputs.len();
        let inputs = self.point.inputs.iter().zip(&self.direction.inputs).enumerate();
        let parameters = self.point.parameters.iter().zip(&self.direction.parameters).enumerate();
        let inputs = inputs.map(|(k, pair)| lift(k, pair)).collect();
        let parameters = parameters.map(|(k, pair)| lift(count + k, pair)).collect();
        Lifted { dual, inputs, parameters }
    }

    /// The arguments of the reverse rule: all inputs, and the parameters for which the op has factors.
    fn arguments(&self) -> Vec<usize> {
        let inputs = self.case.inputs.len();
        (0..inputs).chain(self.factored().map(|k| inputs + k)).collect()
    }

    fn argument(&self, k: usize) -> String {
        match k.checked_sub(self.case.inputs.len()) {
            None => format!("input {k}"),
            Some(k) => format!("parameter {k}"),
        }
    }
}

/// The dual backend, with inputs and parameters on it.
struct Lifted<B: Arrays> {
    dual: Dual<B>,
    inputs: Vec<DualTensor<B>>,
    parameters: Vec<DualTensor<B>>,
}

fn difference(plus: &[f64], minus: &[f64]) -> Vec<f64> {
    plus.iter().zip(minus).map(|(plus, minus)| (plus - minus) / (2.0 * STEP)).collect()
}

fn put_all<B: Arrays>(arrays: &B, hosts: &[Host]) -> Vec<B::Tensor> {
    hosts.iter().map(|host| host.put(arrays)).collect()
}

fn batch_shape(shape: &[usize]) -> Vec<usize> {
    [&[SAMPLES], shape].concat()
}

/// Values of input `k`.
fn input<O>(case: &Case<O>, k: usize, shape: &[usize], numbers: &mut Numbers) -> Host {
    let shape = batch_shape(shape);
    let mut data = numbers.list_away_from(numel(&shape), &case.kinks, case.domain);
    let bound = case.whole.iter().find(|(input, _)| *input == k).map(|&(_, bound)| bound);
    if let Some(bound) = bound {
        data.iter_mut().for_each(|x| *x = ((*x + 2.0) * 1000.0).floor() % bound as f64);
    }
    Host { shape, data, whole: bound.is_some() }
}

/// The direction of input `k`. Whole numbers have no derivative, so their direction must not matter.
fn input_direction<O>(case: &Case<O>, k: usize, shape: &[usize], numbers: &mut Numbers) -> Host {
    let shape = batch_shape(shape);
    let mut data = numbers.list_away_from(numel(&shape), &[], [f64::NEG_INFINITY, f64::INFINITY]);
    let whole = case.whole.iter().any(|(input, _)| *input == k);
    if whole {
        data.fill(1.0);
    }
    Host { shape, data, whole }
}

/// Values of parameter `k`. Buffers are positive.
fn parameter<O>(case: &Case<O>, k: usize, shape: &[usize], numbers: &mut Numbers) -> Host {
    let mut data = numbers.list(numel(shape));
    if case.buffers.contains(&k) {
        data.iter_mut().for_each(|x| *x = 0.5 + x.abs());
    }
    Host::new(shape.to_vec(), data)
}

/// The direction of parameter `k`. Buffers do not move.
fn parameter_direction<O>(case: &Case<O>, k: usize, shape: &[usize], numbers: &mut Numbers) -> Host {
    let mut data = numbers.list(numel(shape));
    if case.buffers.contains(&k) {
        data.fill(0.0);
    }
    Host::new(shape.to_vec(), data)
}
