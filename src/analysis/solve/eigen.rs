//! The largest eigenvalues of an operator.

use super::krylov::Krylov;
use super::random::{uniform, unit_vector};
use super::small::spectrum;
use super::vectors::{add, norm, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// The smallest relative residual, in roundings of a product.
const ROUNDINGS: f64 = 32.0;
/// A Ritz value counts as smaller than the requested eigenvalues if its residual, times sqrt(size), is this small compared with
/// the distance. A missed larger eigenvector would then be 10000 times less present in the random start than usual.
const CERTAIN: f64 = 1e-4;

/// Options of [`largest`].
#[derive(Clone, Debug)]
pub struct EigenOptions {
    tolerance: f64,
    steps: usize,
    basis: Option<usize>,
    seed: u64,
}

impl Default for EigenOptions {
    /// A tolerance of 1e-10, 3000 steps, a basis of 2 k + 30 vectors and seed 0.
    fn default() -> Self {
        EigenOptions { tolerance: 1e-10, steps: 3000, basis: None, seed: 0 }
    }
}

impl EigenOptions {
    /// Sets the residual |A v - lambda v| at which a pair is accepted, relative to the largest |A v| seen. It is at least 32
    /// times [`Operator::precision`].
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the maximum number of products with A.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the maximum number of vectors of the Krylov space, at least k + 10. A larger basis needs fewer products.
    #[must_use]
    pub fn basis(mut self, vectors: usize) -> Self {
        self.basis = Some(vectors);
        self
    }

    /// Sets the seed of the random start vectors.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// Eigenvalues and eigenvectors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Eigenpairs {
    /// The eigenvalues, largest first.
    pub values: Vec<f64>,
    /// Orthonormal eigenvectors, in the order of the values.
    pub vectors: Vec<Vec<f64>>,
    /// The computed |A v - lambda v|. An eigenvalue of A is at most this far from lambda.
    pub residuals: Vec<f64>,
    /// The number of products with A.
    pub steps: usize,
}

/// The `k` algebraically largest eigenvalues of A and their eigenvectors, or all if `k` exceeds the size.
///
/// The method is Lanczos with full reorthogonalisation (Golub & Van Loan 2013, section 10.3) and thick restart (Wu & Simon
/// 2000, "Thick-restart Lanczos method for large symmetric eigenvalue problems"). It stores about 3 k + 30 vectors. A Krylov
/// space contains only one vector of a multiple eigenvalue. For k > 1 the search is therefore repeated from other random
/// vectors, orthogonal to those found, until it finds nothing above the k-th value. Multiple eigenvalues are then found with
/// their multiplicity, within the tolerance. The chance to miss one that is well separated is about 1 in 10000. An operator
/// of at most 2 k + 30 rows is materialised by products with unit vectors.
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
/// The operator failed or returned numbers that are not finite. The tolerance is not 0 or more. The steps were too few: the
/// message gives the number of pairs found and the residual of the next one.
pub fn largest(operator: &dyn Operator, k: usize, options: &EigenOptions) -> Result<Eigenpairs> {
    if options.tolerance.is_nan() || options.tolerance < 0.0 {
        return Err(Error::value(format!("the tolerance is {}, but must be 0 or more", options.tolerance)));
    }
    let size = operator.size();
    let k = k.min(size);
    if k == 0 {
        return Ok(Eigenpairs { values: vec![], vectors: vec![], residuals: vec![], steps: 0 });
    }
    if size <= (2 * k).saturating_add(30) {
        return materialised(operator, k, options);
    }
    let basis = options.basis.unwrap_or(2 * k + 30).max(k + 10);
    let mut search = Search { operator, k, basis, options, values: vec![], vectors: vec![], norm: 0.0, steps: 0 };
    for round in 0.. {
        let more = search.round(round)?;
        if search.values.len() == k && (k == 1 || !more) {
            break;
        }
    }
    search.finish()
}

/// The eigenpairs from the whole matrix.
fn materialised(operator: &dyn Operator, k: usize, options: &EigenOptions) -> Result<Eigenpairs> {
    let size = operator.size();
    if options.steps < size {
        return Err(Error::value(format!(
            "{} steps are too few: the {k} largest of {size} eigenvalues need {size} products, and no eigenvalue is known \
             before",
            options.steps
        )));
    }
    let columns = (0..size).map(|j| product(operator, &unit_vector(size, j))).collect::<Result<Vec<_>>>()?;
    let mut pairs = spectrum(size, |i, j| (columns[i][j] + columns[j][i]) / 2.0)?;
    pairs.values.truncate(k);
    pairs.vectors.truncate(k);
    let residual = |(value, v): (&f64, &Vec<f64>)| {
        let mut rest: Vec<f64> = v.iter().map(|x| -value * x).collect();
        columns.iter().zip(v).for_each(|(column, x)| add(&mut rest, *x, column));
        norm(&rest)
    };
    let residuals: Vec<f64> = pairs.values.iter().zip(&pairs.vectors).map(residual).collect();
    if residuals.iter().chain(&pairs.values).any(|x| !x.is_finite()) {
        return Err(Error::value("the squares of the operator's products are too large for f64"));
    }
    Ok(Eigenpairs { values: pairs.values, vectors: pairs.vectors, residuals, steps: size })
}

struct Search<'a> {
    operator: &'a dyn Operator,
    k: usize,
    basis: usize,
    options: &'a EigenOptions,
    /// The eigenvalues found, largest first, at most k.
    values: Vec<f64>,
    vectors: Vec<Vec<f64>>,
    norm: f64,
    steps: usize,
}

impl Search<'_> {
    fn allowed(&self) -> f64 {
        self.options.tolerance.max(ROUNDINGS * self.operator.precision()) * self.norm
    }

    /// Finds pairs orthogonal to those found before and merges them. Returns whether a new pair is among the k largest.
    fn round(&mut self, round: u64) -> Result<bool> {
        let locked = std::mem::take(&mut self.vectors);
        let start = uniform(self.operator.size(), self.options.seed, round);
        let mut krylov = Krylov::new(self.operator, &locked, start);
        let mut check = 5;
        // The first pair that has not converged.
        let mut next_pair = None;
        let (values, vectors) = loop {
            if self.steps == self.options.steps {
                return Err(self.not_converged(next_pair));
            }
            krylov.step()?;
            self.steps += 1;
            self.norm = self.norm.max(krylov.norm());
            let full = krylov.len() >= self.basis;
            let ended = krylov.exhausted();
            if !full && !ended && krylov.len() < check && self.steps < self.options.steps {
                continue;
            }
            let ritz = krylov.ritz()?;
            let residual = |i: usize| krylov.residual(&ritz.vectors[i]);
            let converged = (0..krylov.len()).take_while(|&i| residual(i) <= self.allowed()).count();
            let next = (converged < krylov.len()).then(|| (ritz.values[converged], residual(converged)));
            if ended || self.done(&ritz.values[..converged], next) {
                let count = converged.min(self.k);
                break (ritz.values[..count].to_vec(), krylov.vectors(&ritz, count));
            }
            next_pair = next.map(|(value, residual)| NextPair { converged, value, residual });
            if full {
                // The requested pairs, and a third of the remaining room for pairs that speed up their convergence.
                krylov.restart(&ritz, self.k + (self.basis - self.k) / 3);
            }
            check = krylov.len() + (krylov.len() / 10).max(5);
        };
        self.vectors = locked;
        Ok(self.merge(values, vectors))
    }

    /// Whether this round is finished: k pairs have converged, or a pair is not among the k largest.
    fn done(&self, converged: &[f64], next: Option<(f64, f64)>) -> bool {
        if converged.len() >= self.k {
            return true;
        }
        let mut all = [&self.values[..], converged].concat();
        all.sort_by(|a, b| b.total_cmp(a));
        let Some(&last) = all.get(self.k - 1) else { return false };
        let below =
            |(value, residual): (f64, f64)| residual * (self.operator.size() as f64).sqrt() <= CERTAIN * (last - value);
        converged.last().is_some_and(|&value| value <= last) || next.is_some_and(below)
    }

    fn merge(&mut self, values: Vec<f64>, vectors: Vec<Vec<f64>>) -> bool {
        let threshold =
            if self.values.len() < self.k { f64::NEG_INFINITY } else { self.values[self.k - 1] + self.allowed() };
        let more = values.iter().any(|&value| value > threshold);
        let old = std::mem::take(&mut self.values).into_iter().zip(std::mem::take(&mut self.vectors));
        let mut all: Vec<_> = old.chain(values.into_iter().zip(vectors)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(self.k);
        (self.values, self.vectors) = all.into_iter().unzip();
        more
    }

    fn not_converged(&self, next: Option<NextPair>) -> Error {
        let steps = self.steps;
        let k = self.k;
        let Some(NextPair { converged, value, residual }) = next else {
            let known = self.values.len();
            return Error::value(format!(
                "Lanczos has not converged after {steps} steps: {known} of {k} eigenvalues are known, and the residual of \
                 the next one is not; allow more steps"
            ));
        };
        let earlier = if self.values.is_empty() { "" } else { " in addition to those of earlier starts" };
        Error::value(format!(
            "Lanczos has not converged after {steps} steps: {converged} of {k} eigenvalues are known{earlier}. The next is \
             {value} with a residual of {residual:.1e}, but {:.1e} is required; allow more steps or a larger tolerance",
            self.allowed()
        ))
    }

    /// The pairs found, with residuals from one more product each.
    fn finish(self) -> Result<Eigenpairs> {
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

/// The first pair of a Krylov space that has not converged.
struct NextPair {
    /// The number of converged pairs before it.
    converged: usize,
    value: f64,
    residual: f64,
}
