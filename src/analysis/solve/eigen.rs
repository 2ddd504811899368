//! The largest eigenvalues of an operator.

use super::krylov::Krylov;
use super::random::{region, uniform};
use super::small::spectrum;
use super::vectors::{add, norm, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// No residual is asked to be smaller than so many roundings of a product.
const ROUNDINGS: f64 = 32.0;
/// A Ritz value is taken to lie below those wanted when its residual, times sqrt(size), is this small beside the
/// distance: an eigenvector above that it had missed would be one that the random start holds 10000 times less of than
/// usual.
const CERTAIN: f64 = 1e-4;

/// How far [`largest`] goes.
#[derive(Clone, Debug)]
pub struct EigenOptions {
    tolerance: f64,
    steps: usize,
    basis: Option<usize>,
    seed: u64,
}

impl Default for EigenOptions {
    /// A tolerance of 1e-10, 3000 steps, a basis of 2 k + 30 vectors, seed 0.
    fn default() -> Self {
        EigenOptions { tolerance: 1e-10, steps: 3000, basis: None, seed: 0 }
    }
}

impl EigenOptions {
    /// The residual |A v - lambda v| at which a pair is good, beside the largest |A v| met: never less than 32 times
    /// [`Operator::precision`].
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The most products with A before the iteration is given up.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// The most vectors of the Krylov space at a time, k + 10 at least. More take fewer products.
    #[must_use]
    pub fn basis(mut self, vectors: usize) -> Self {
        self.basis = Some(vectors);
        self
    }

    /// What random starts are made from.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// Eigenvalues and their vectors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Eigenpairs {
    /// Largest first.
    pub values: Vec<f64>,
    /// Orthonormal, in the order of the values.
    pub vectors: Vec<Vec<f64>>,
    /// |A v - lambda v|, measured: an eigenvalue of A is no farther from lambda than this.
    pub residuals: Vec<f64>,
    /// Products with A that were taken.
    pub steps: usize,
}

/// The `k` largest eigenvalues of A, algebraically, and their vectors; all where `k` is larger than the size.
///
/// Lanczos' method with full reorthogonalisation (Golub & Van Loan 2013, section 10.3) and thick restart (Wu & Simon
/// 2000, "Thick-restart Lanczos method for large symmetric eigenvalue problems"), which holds some 3 k + 30 vectors.
/// One Krylov space holds one vector of an eigenvalue, however often it is there. So, for k > 1, the search begins
/// again from another random vector, orthogonal to those found, until nothing above the k-th turns up; so that an
/// eigenvalue comes out as often as it is there, but for a chance of some 1 in 10000 where it differs from the next
/// ones by much, and within the tolerance. An operator of at most 2 k + 30 rows, or 2 k, is written out by its products
/// with unit vectors.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::operator::Dense;
/// use tangent_kernels::analysis::solve::{EigenOptions, largest};
/// let ones = Matrix::from_vec(1, 100, 100, vec![1.0f64; 10_000])?;
/// let pairs = largest(&Dense::new(&ones)?, 3, &EigenOptions::default())?;
/// assert!((pairs.values[0] - 100.0).abs() < 1e-8 && pairs.values[2].abs() < 1e-8);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The operator failed or gives numbers that are not finite; the tolerance is no number above or equal to 0; the steps
/// were too few: the message says how many pairs there are, and the residual of the next one.
pub fn largest(operator: &dyn Operator, k: usize, options: &EigenOptions) -> Result<Eigenpairs> {
    if options.tolerance.is_nan() || options.tolerance < 0.0 {
        return Err(Error::value(format!("a tolerance of {}", options.tolerance)));
    }
    let size = operator.size();
    let k = k.min(size);
    if k == 0 {
        return Ok(Eigenpairs { values: vec![], vectors: vec![], residuals: vec![], steps: 0 });
    }
    if size <= (2 * k).saturating_add(30) {
        return written_out(operator, k, options);
    }
    let basis = options.basis.unwrap_or(2 * k + 30).max(k + 10);
    let mut search = Search { operator, k, basis, options, values: vec![], vectors: vec![], norm: 0.0, steps: 0 };
    for round in 0.. {
        let more = search.round(round)?;
        if search.values.len() == k && (k == 1 || !more) {
            break;
        }
    }
    search.measured()
}

/// The whole matrix, and its spectrum.
fn written_out(operator: &dyn Operator, k: usize, options: &EigenOptions) -> Result<Eigenpairs> {
    let size = operator.size();
    if options.steps < size {
        return Err(Error::value(format!(
            "{} steps are too few: the {k} largest of {size} eigenvalues take {size} products, and without them none is \
             known",
            options.steps
        )));
    }
    let columns = (0..size).map(|j| product(operator, &region(size, j))).collect::<Result<Vec<_>>>()?;
    let mut all = spectrum(size, |i, j| (columns[i][j] + columns[j][i]) / 2.0)?;
    all.values.truncate(k);
    all.vectors.truncate(k);
    let residual = |(value, v): (&f64, &Vec<f64>)| {
        let mut rest: Vec<f64> = v.iter().map(|x| -value * x).collect();
        columns.iter().zip(v).for_each(|(column, x)| add(&mut rest, *x, column));
        norm(&rest)
    };
    let residuals: Vec<f64> = all.values.iter().zip(&all.vectors).map(residual).collect();
    if residuals.iter().chain(&all.values).any(|x| !x.is_finite()) {
        return Err(Error::value("the operator's products are too large to square"));
    }
    Ok(Eigenpairs { values: all.values, vectors: all.vectors, residuals, steps: size })
}

struct Search<'a> {
    operator: &'a dyn Operator,
    k: usize,
    basis: usize,
    options: &'a EigenOptions,
    /// What was found, largest first, k at most.
    values: Vec<f64>,
    vectors: Vec<Vec<f64>>,
    norm: f64,
    steps: usize,
}

impl Search<'_> {
    fn allowed(&self) -> f64 {
        self.options.tolerance.max(ROUNDINGS * self.operator.precision()) * self.norm
    }

    /// Finds pairs orthogonal to those found before, and puts them among them. Whether any belonged there.
    fn round(&mut self, round: u64) -> Result<bool> {
        let locked = std::mem::take(&mut self.vectors);
        let start = uniform(self.operator.size(), self.options.seed, round);
        let mut krylov = Krylov::new(self.operator, &locked, start);
        let mut check = 5;
        // The next pair: how many there are before it, its value, its residual.
        let mut reached = None;
        let (values, vectors) = loop {
            if self.steps == self.options.steps {
                return Err(self.given_up(reached));
            }
            krylov.step()?;
            self.steps += 1;
            self.norm = self.norm.max(krylov.norm());
            let (full, ended) = (krylov.len() >= self.basis, krylov.exhausted());
            if !full && !ended && krylov.len() < check && self.steps < self.options.steps {
                continue;
            }
            let ritz = krylov.ritz()?;
            let residual = |i: usize| krylov.residual(&ritz.vectors[i]);
            let good = (0..krylov.len()).take_while(|&i| residual(i) <= self.allowed()).count();
            let next = (good < krylov.len()).then(|| (ritz.values[good], residual(good)));
            if ended || self.done(&ritz.values[..good], next) {
                let count = good.min(self.k);
                break (ritz.values[..count].to_vec(), krylov.vectors(&ritz, count));
            }
            reached = next.map(|(value, residual)| (good, value, residual));
            if full {
                // The wanted ones, and a third of the room for those that help them.
                krylov.restart(&ritz, self.k + (self.basis - self.k) / 3);
            }
            check = krylov.len() + (krylov.len() / 10).max(5);
        };
        self.vectors = locked;
        Ok(self.merge(values, vectors))
    }

    /// Whether this round's space has no more to give: k pairs, or one that does not belong to the k largest.
    fn done(&self, good: &[f64], next: Option<(f64, f64)>) -> bool {
        if good.len() >= self.k {
            return true;
        }
        let mut all = [&self.values[..], good].concat();
        all.sort_by(|a, b| b.total_cmp(a));
        let Some(&last) = all.get(self.k - 1) else { return false };
        let below =
            |(value, residual): (f64, f64)| residual * (self.operator.size() as f64).sqrt() <= CERTAIN * (last - value);
        good.last().is_some_and(|&value| value <= last) || next.is_some_and(below)
    }

    fn merge(&mut self, values: Vec<f64>, vectors: Vec<Vec<f64>>) -> bool {
        let bar = if self.values.len() < self.k { f64::NEG_INFINITY } else { self.values[self.k - 1] + self.allowed() };
        let more = values.iter().any(|&value| value > bar);
        let old = std::mem::take(&mut self.values).into_iter().zip(std::mem::take(&mut self.vectors));
        let mut all: Vec<_> = old.chain(values.into_iter().zip(vectors)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(self.k);
        (self.values, self.vectors) = all.into_iter().unzip();
        more
    }

    fn given_up(&self, reached: Option<(usize, f64, f64)>) -> Error {
        let (steps, k) = (self.steps, self.k);
        let Some((good, value, residual)) = reached else {
            let known = self.values.len();
            return Error::value(format!(
                "Lanczos has not converged after {steps} steps: {known} of {k} eigenvalues are known, the residual \
                 of the next one is not"
            ));
        };
        let of = if self.values.is_empty() { "" } else { " beside those of earlier starts" };
        Error::value(format!(
            "Lanczos has not converged after {steps} steps: {good} of {k} eigenvalues are known{of}, the next is \
             {value} with a residual of {residual:.1e} where {:.1e} is asked",
            self.allowed()
        ))
    }

    /// What was found, with its residuals, by one more product each.
    fn measured(self) -> Result<Eigenpairs> {
        let residual = |(value, v): (&f64, &Vec<f64>)| {
            let mut rest = product(self.operator, v)?;
            add(&mut rest, -value, v);
            Ok(norm(&rest))
        };
        let residuals = self.values.iter().zip(&self.vectors).map(residual).collect::<Result<Vec<f64>>>()?;
        let steps = self.steps + residuals.len();
        Ok(Eigenpairs { values: self.values, vectors: self.vectors, residuals, steps })
    }
}
