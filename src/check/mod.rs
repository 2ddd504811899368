//! The checker that every op is run through, this crate's and a user's alike.
//!
//! For a [`Case`], on three samples and in both precisions, it holds against each other: the shape rule and the result;
//! a batch and its samples one by one; forward mode and central differences; for every input and every parameter
//! separately the adjoint, <u, J v> = <J^T u, v>; the reverse rule's own derivative and differences of it; and every
//! factor's readings and the Jacobian that forward mode gives entry by entry. [`op_on`] does so on any backend.
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

use crate::backend::{Arrays, Cpu, Dual, DualTensor};
use crate::factor::{Factor, InputOperand};
use crate::ops::{Case, Op, OpContext};
use crate::real::Real;
use crate::shape::numel;
use point::{Host, Numbers, Point};

/// What a check found wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// The op, with its attributes and shapes.
    pub case: String,
    /// What was checked.
    pub check: String,
    /// How large the error was, relative to the largest value compared.
    pub error: f64,
    /// How large it may be.
    pub tolerance: f64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { case, check, error, tolerance } = self;
        write!(f, "{case}: {check}: error {error:.2e}, where {tolerance:.2e} is allowed")
    }
}

impl std::error::Error for Failure {}

/// Samples in a check.
const SAMPLES: usize = 3;
/// The step of central differences.
const STEP: f64 = 1e-5;
/// What central differences with that step are good for.
const DIFFERENCES: f64 = 1e-8;

/// Checks an op in one setting.
///
/// # Errors
/// The first check that failed.
pub fn op<O: Op>(case: &Case<O>) -> Result<(), Failure> {
    let run = Run::new(case);
    run.shapes()?;
    run.differences()?;
    run.on(&Cpu::<f64>::new())?;
    run.on(&Cpu::<f32>::new())
}

/// Checks an op in one setting on a backend: all that [`op`] checks without differences, in the backend's own precision,
/// and the result and the reverse rule against those of the CPU in `f64`.
///
/// Central differences are left out: in `f32` they are good for two digits. That forward mode is the derivative is what
/// [`op`] finds, and here forward mode is held against the reverse rule.
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
/// The first check that failed, or the backend's own failure.
pub fn op_on<O: Op, B: Arrays>(case: &Case<O>, arrays: &B) -> Result<(), Failure> {
    let run = Run::new(case);
    run.shapes()?;
    run.as_on_the_cpu(arrays)?;
    run.on(arrays)
}

/// Checks every case of a set of ops; returns how many there were.
///
/// # Errors
/// The first check that failed.
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
    at: Point,
    direction: Point,
    /// u, a cotangent of the result.
    cotangent: Host,
}

impl<'a, O: Op> Run<'a, O> {
    fn new(case: &'a Case<O>) -> Self {
        let mut numbers = Numbers(0);
        let batch = |shape: &Vec<usize>| [&[SAMPLES][..], shape].concat();
        let mut point = |kinks: &[f64], domain: [f64; 2], direction: bool| {
            let inputs = case.inputs.iter().enumerate().map(|(k, shape)| {
                let shape = batch(shape);
                let mut data = numbers.list_away_from(numel(&shape), kinks, domain);
                if let Some(&(_, bound)) = case.whole.iter().find(|(own, _)| *own == k) {
                    // Nothing varies with a whole number: the direction must not matter.
                    let whole = |x: f64| if direction { 1.0 } else { ((x + 2.0) * 1000.0).floor() % bound as f64 };
                    data.iter_mut().for_each(|x| *x = whole(*x));
                }
                let whole = case.whole.iter().any(|(own, _)| *own == k);
                Host { shape, data, whole }
            });
            let inputs = inputs.collect();
            let parameters = case.parameters.iter().enumerate().map(|(k, shape)| {
                let mut data = numbers.list(numel(shape));
                if case.buffers.contains(&k) {
                    data.iter_mut().for_each(|x| *x = if direction { 0.0 } else { 0.5 + x.abs() });
                }
                Host::new(shape.clone(), data)
            });
            Point { inputs, parameters: parameters.collect() }
        };
        let anywhere = [f64::NEG_INFINITY, f64::INFINITY];
        let (at, direction) = (point(&case.kinks, case.domain, false), point(&[], anywhere, true));
        let mut run = Run { case, at, direction, cotangent: Host::new(Vec::new(), Vec::new()) };
        let arrays = Cpu::<f64>::new();
        let y = run.forward(&arrays, &run.at);
        let shape = arrays.shape(&y).to_vec();
        run.cotangent = Host::new(shape.clone(), Numbers(1000).list(numel(&shape)));
        run
    }

    fn expect(&self, check: impl Into<String>, error: f64, tolerance: f64) -> Result<(), Failure> {
        // A NaN is a failure: it is not below any tolerance.
        if error <= tolerance { Ok(()) } else { Err(self.failure(check, error, tolerance)) }
    }

    fn failure(&self, check: impl Into<String>, error: f64, tolerance: f64) -> Failure {
        let case =
            format!("{:?} on inputs {:?}, parameters {:?}", self.case.op, self.case.inputs, self.case.parameters);
        Failure { case, check: check.into(), error, tolerance }
    }

    /// The entries of an array. The CPU always has them; a device may fail.
    fn get<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> Result<Vec<f64>, Failure> {
        match arrays.read(x) {
            Ok(list) => Ok(list.into_iter().map(Real::f64).collect()),
            Err(error) => Err(self.failure(format!("reading an array: {error}"), f64::INFINITY, 0.0)),
        }
    }

    /// How far two results in precision `R` may be apart: it scales with its epsilon.
    fn tolerance<R: Real>(&self) -> f64 {
        let longest = self.at.inputs.iter().chain(&self.at.parameters).map(|host| host.data.len()).max().unwrap_or(1);
        8.0 * R::EPSILON.f64() * (longest as f64).sqrt().max(4.0)
    }

    /// Two lists agree, relative to the largest entry, or 1 if that is smaller.
    fn agree(&self, check: impl Into<String>, got: &[f64], want: &[f64], tolerance: f64) -> Result<(), Failure> {
        let scale = want.iter().fold(1.0f64, |max, x| max.max(x.abs()));
        let worst = got.iter().zip(want).fold(0.0f64, |worst, (x, y)| {
            let error = (x - y).abs() / scale;
            if error.is_nan() { f64::NAN } else { worst.max(error) }
        });
        self.expect(check, if got.len() == want.len() { worst } else { f64::INFINITY }, tolerance)
    }

    fn with<B: Arrays, T>(
        &self,
        arrays: &B,
        inputs: &[B::Tensor],
        parameters: &[B::Tensor],
        f: impl FnOnce(&OpContext<'_, B>) -> T,
    ) -> T {
        let (inputs, parameters): (Vec<_>, Vec<_>) = (inputs.iter().collect(), parameters.iter().collect());
        f(&OpContext { arrays, inputs: &inputs, parameters: &parameters })
    }

    fn forward<B: Arrays>(&self, arrays: &B, at: &Point) -> B::Tensor {
        let put = |list: &[Host]| list.iter().map(|x| x.put(arrays)).collect::<Vec<_>>();
        self.with(arrays, &put(&at.inputs), &put(&at.parameters), |at| self.case.op.forward(at))
    }

    fn reverse_at<B: Arrays>(&self, arrays: &B, at: &Point) -> Result<Vec<B::Tensor>, Failure> {
        let put = |list: &[Host]| list.iter().map(|x| x.put(arrays)).collect::<Vec<_>>();
        self.reverse(arrays, &put(&at.inputs), &put(&at.parameters))
    }

    /// Every pull and every parameter's gradient for the cotangent u.
    fn reverse<B: Arrays>(
        &self,
        arrays: &B,
        inputs: &[B::Tensor],
        parameters: &[B::Tensor],
    ) -> Result<Vec<B::Tensor>, Failure> {
        let dy = self.cotangent.put(arrays);
        self.with(arrays, inputs, parameters, |at| {
            let y = self.case.op.forward(at);
            let mut all: Vec<B::Tensor> = (0..inputs.len()).map(|k| self.case.op.pull(at, &y, &dy, k)).collect();
            for k in self.factored() {
                all.push(self.factor(at, &y, &dy, k)?.gradient(arrays));
            }
            Ok(all)
        })
    }

    fn factor<B: Arrays>(
        &self,
        at: &OpContext<'_, B>,
        y: &B::Tensor,
        dy: &B::Tensor,
        k: usize,
    ) -> Result<Factor<B>, Failure> {
        let left = self.case.op.input_operand(at, k);
        self.expect(format!("a factor for parameter {k}"), if left.is_some() { 0.0 } else { f64::INFINITY }, 0.0)?;
        let left = left.expect("it was expected above");
        let right = match left {
            InputOperand::Rows => self.case.op.rows(at, y, dy, k),
            _ => dy.clone(),
        };
        Ok(Factor::new(left, right))
    }

    /// The parameters that the op has factors for.
    fn factored(&self) -> impl Iterator<Item = usize> {
        (0..self.case.parameters.len()).filter(|k| !self.case.buffers.contains(k))
    }

    /// The shape rule tells the result's shape, and refuses no inputs at all instead of panicking.
    fn shapes(&self) -> Result<(), Failure> {
        let slices = |list: &'a [Vec<usize>]| list.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let shape = self.case.op.shape(&slices(&self.case.inputs), &slices(&self.case.parameters));
        let right = shape.is_ok_and(|shape| shape == self.cotangent.shape[1..]);
        self.expect("the shape rule and the result's shape", if right { 0.0 } else { f64::INFINITY }, 0.0)?;
        let refused = self.case.op.shape(&[], &[]).is_err();
        self.expect("the shape rule refuses no inputs", if refused { 0.0 } else { f64::INFINITY }, 0.0)
    }

    /// Forward mode against central differences of the result, and over the reverse rule against differences of that.
    fn differences(&self) -> Result<(), Failure> {
        let cpu = Cpu::<f64>::new();
        let (ahead, behind) = (self.at.moved(&self.direction, STEP), self.at.moved(&self.direction, -STEP));
        let difference = |plus: &[f64], minus: &[f64]| -> Vec<f64> {
            plus.iter().zip(minus).map(|(plus, minus)| (plus - minus) / (2.0 * STEP)).collect()
        };
        let values = |point: &Point| self.get(&cpu, &self.forward(&cpu, point));
        let (dual, inputs, parameters) = self.lifted(&cpu, |_| true);
        let y = self.with(&dual, &inputs, &parameters, |at| self.case.op.forward(at));
        let jv = self.get(&cpu, &dual.tangent(&y))?;
        self.agree(
            "J v by forward mode and by central differences",
            &jv,
            &difference(&values(&ahead)?, &values(&behind)?),
            DIFFERENCES,
        )?;

        let (ahead, behind) = (self.reverse_at(&cpu, &ahead)?, self.reverse_at(&cpu, &behind)?);
        for (k, second) in self.reverse(&dual, &inputs, &parameters)?.iter().enumerate() {
            let want = difference(&self.get(&cpu, &ahead[k])?, &self.get(&cpu, &behind[k])?);
            let argument = self.argument(self.arguments()[k]);
            let name = format!("the derivative of the reverse rule of {argument} and central differences");
            self.agree(name, &self.get(&cpu, &dual.tangent(second))?, &want, DIFFERENCES)?;
        }
        Ok(())
    }

    /// The result, and all that the reverse rule gives, against the CPU's in `f64` for the same numbers.
    fn as_on_the_cpu<B: Arrays>(&self, arrays: &B) -> Result<(), Failure> {
        let (cpu, at) = (Cpu::<f64>::new(), self.at.rounded::<B::Number>());
        let tolerance = self.tolerance::<B::Number>();
        let named = |what: &str| format!("{what} and the CPU's, in {}", B::Number::NAME);
        let want = self.get(&cpu, &self.forward(&cpu, &at))?;
        self.agree(named("the result"), &self.get(arrays, &self.forward(arrays, &at))?, &want, tolerance)?;
        let (want, got) = (self.reverse_at(&cpu, &at)?, self.reverse_at(arrays, &at)?);
        for ((got, want), k) in got.iter().zip(&want).zip(self.arguments()) {
            let name = named(&format!("the reverse rule of {}", self.argument(k)));
            self.agree(name, &self.get(arrays, got)?, &self.get(&cpu, want)?, tolerance)?;
        }
        Ok(())
    }

    /// What needs no differences, on a backend, with tolerances that scale with its precision.
    fn on<B: Arrays>(&self, arrays: &B) -> Result<(), Failure> {
        let tolerance = self.tolerance::<B::Number>();
        let named = |what: &str| format!("{what}, in {}", B::Number::NAME);

        let whole = self.get(arrays, &self.forward(arrays, &self.at))?;
        let sample = |n: usize| self.get(arrays, &self.forward(arrays, &self.at.samples(n..n + 1)));
        let one_by_one = (0..SAMPLES).map(sample).collect::<Result<Vec<_>, _>>()?.concat();
        self.agree(named("a batch and its samples one by one"), &whole, &one_by_one, tolerance)?;

        let put = |list: &[Host]| list.iter().map(|x| x.put(arrays)).collect::<Vec<_>>();
        let (inputs, parameters) = (put(&self.at.inputs), put(&self.at.parameters));
        let pulled = self.reverse(arrays, &inputs, &parameters)?;
        let directions: Vec<&Host> = self.direction.inputs.iter().chain(&self.direction.parameters).collect();
        for (pulled, k) in pulled.iter().zip(self.arguments()) {
            let direction = directions[k];
            let jv = self.jv(arrays, k, None)?;
            let (forward, reverse) = (dot(&self.cotangent.data, &jv), dot(&self.get(arrays, pulled)?, &direction.data));
            let name = named(&format!("the adjoint <u, J v> = <J^T u, v> of {}", self.argument(k)));
            let terms = jv.iter().zip(&self.cotangent.data).map(|(x, u)| (x * u).abs()).sum::<f64>();
            self.expect(name, (forward - reverse).abs() / terms.max(1.0), tolerance)?;
        }
        for k in self.factored() {
            self.factor_readings(arrays, &inputs, &parameters, k, tolerance)?;
        }
        Ok(())
    }

    /// A parameter's factor against the Jacobian that forward mode gives, entry by entry of the parameter.
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
        let factor = self.with(arrays, inputs, parameters, |at| self.factor(at, &self.case.op.forward(at), &dy, k))?;
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

    /// J v by forward mode: along the direction of argument k alone, or along one entry of it.
    fn jv<B: Arrays>(&self, arrays: &B, k: usize, entry: Option<usize>) -> Result<Vec<f64>, Failure> {
        let (dual, mut inputs, mut parameters) = self.lifted(arrays, |own| own == k && entry.is_none());
        if let Some(entry) = entry {
            let hosts = self.at.inputs.len();
            let (host, to) = if k < hosts {
                (&self.at.inputs[k], &mut inputs[k])
            } else {
                (&self.at.parameters[k - hosts], &mut parameters[k - hosts])
            };
            let mut unit = Host::new(host.shape.clone(), vec![0.0; host.data.len()]);
            unit.data[entry] = 1.0;
            *to = dual.lift(&host.put(arrays), Some(&unit.put(arrays)));
        }
        let y = self.with(&dual, &inputs, &parameters, |at| self.case.op.forward(at));
        self.get(arrays, &dual.tangent(&y))
    }

    /// Inputs and parameters with the direction's tangents where `carries` says so.
    fn lifted<B: Arrays>(&self, arrays: &B, carries: impl Fn(usize) -> bool) -> Lifted<B> {
        let dual = Dual::new(arrays.clone());
        let lift =
            |k: usize, (x, d): (&Host, &Host)| dual.lift(&x.put(arrays), carries(k).then(|| d.put(arrays)).as_ref());
        let hosts = self.at.inputs.len();
        let inputs = self.at.inputs.iter().zip(&self.direction.inputs).enumerate();
        let parameters = self.at.parameters.iter().zip(&self.direction.parameters).enumerate();
        let inputs = inputs.map(|(k, pair)| lift(k, pair)).collect();
        let parameters = parameters.map(|(k, pair)| lift(hosts + k, pair)).collect();
        (dual.clone(), inputs, parameters)
    }

    /// What a reverse sweep gives gradients of: all inputs, and the parameters that the op has factors for.
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

type Lifted<B> = (Dual<B>, Vec<DualTensor<B>>, Vec<DualTensor<B>>);
