//! Products of packed rows, one micro tile at a time. Sums stay in registers over a block of k.
//!
//! A general product packs its operands each time. Here an operand is used in as many tiles as there are blocks, so it
//! is packed once. Both products of a layer are multiplied entry by entry in registers. `benches/tiles.rs` measures it.

use pulp::{Scalar, Simd, WithSimd};

use super::packed::{K_BLOCK, Packed};
use crate::real::Real;
use crate::real::vector::Vector;

/// The last step of a product x.
#[derive(Clone, Copy)]
pub enum Finish<'a, R> {
    /// out += w x
    Add,
    /// out += w x o other, entry by entry. `other` has the same layout as `out`.
    MultiplyAdd(&'a [R]),
}

/// The output of a product, with `stride` entries from row to row.
pub struct Target<'a, R> {
    pub out: &'a mut [R],
    pub stride: usize,
    /// If true, `out` counts as zero.
    pub fresh: bool,
    /// If true, `out` is square and only micro tiles that touch the upper triangle are computed. The rest is undefined.
    pub upper: bool,
}

/// `out[r,c] += w rows[r] . cols[c]`. The order of the sum depends on k alone.
pub fn product<R: Real>(operands: [&Packed<R>; 2], target: Target<'_, R>, weight: R, finish: Finish<'_, R>) {
    dispatch(Call { operands, with: None, target, weight, bias: R::default(), finish });
}

/// `out[r,c] = rows[r] . cols[c]`
pub fn plain<R: Real>(operands: [&Packed<R>; 2], out: &mut [R], stride: usize, upper: bool) {
    product(operands, Target { out, stride, fresh: true, upper }, R::from_f64(1.0), Finish::Add);
}

/// out += (w a a'^T + bias) o (b b'^T). If both k are short, both products of a micro tile are computed at once. Else
/// the second product goes through `scratch`.
pub fn fused<R: Real>(
    a: [&Packed<R>; 2],
    b: [&Packed<R>; 2],
    target: Target<'_, R>,
    weight: R,
    bias: R,
    scratch: &mut Vec<R>,
) {
    if a[0].k() <= K_BLOCK && b[0].k() <= K_BLOCK {
        return dispatch(Call { operands: a, with: Some(b), target, weight, bias, finish: Finish::Add });
    }
    let Target { out, stride, fresh, upper } = target;
    let other = super::grown(scratch, out.len());
    plain(b, other, stride, upper);
    product(a, Target { out: &mut *out, stride, fresh, upper }, weight, Finish::MultiplyAdd(other));
    if bias != R::default() {
        super::add_scaled(out, other, bias);
    }
}

/// One product, or two products that are multiplied entry by entry.
pub(super) struct Call<'a, R> {
    pub(super) operands: [&'a Packed<R>; 2],
    pub(super) with: Option<[&'a Packed<R>; 2]>,
    pub(super) target: Target<'a, R>,
    pub(super) weight: R,
    pub(super) bias: R,
    pub(super) finish: Finish<'a, R>,
}

fn dispatch<R: Real>(call: Call<'_, R>) {
    pulp::Arch::new().dispatch(Dispatched(call));
}

/// A product that runs with the vectors of a given `Simd`.
pub(super) struct Dispatched<'a, R>(pub(super) Call<'a, R>);

impl<R: Real> WithSimd for Dispatched<'_, R> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // A product is compiled for the lanes of `R` only.
        if const { R::LANES == 16 } { fitted::<S, R, 16>(simd, self.0) } else { fitted::<S, R, 8>(simd, self.0) }
    }
}

/// The sums of a micro tile: N rows, G groups of columns of V vectors each.
type Sums<S, R, const V: usize, const G: usize, const N: usize> = [[[<R as Vector>::Register<S>; V]; G]; N];

/// The product with the micro tile that fits the registers of `S`: 24 sums in 32 registers, or 8 in 16.
#[inline(always)]
fn fitted<S: Simd, R: Real, const L: usize>(simd: S, call: Call<'_, R>) {
    match 64 / size_of::<R::Register<S>>() {
        1 => run::<S, R, L, 1, 3, 8>(simd, call),
        2 => run::<S, R, L, 2, 1, 4>(simd, call),
        4 => run::<S, R, L, 4, 1, 4>(simd, call),
        _ => run::<Scalar, R, L, L, 1, 1>(Scalar, call),
    }
}

/// The whole product: micro tiles of N rows and G groups of L columns, of V vectors each.
#[inline(always)]
fn run<S: Simd, R: Real, const L: usize, const V: usize, const G: usize, const N: usize>(
    simd: S,
    mut call: Call<'_, R>,
) {
    let [rows, cols] = call.operands;
    assert_eq!(rows.k(), cols.k(), "k of a product");
    let k = rows.k();
    let mut from = 0;
    // At least once, so that a product with k = 0 is zero.
    while from < k || from == 0 {
        let mut group = 0;
        while group < cols.groups() {
            // Four groups are split into two and two: a single last group would be limited by loading its rows.
            let take = match cols.groups() - group {
                4 => G.min(2),
                remaining => G.min(remaining),
            };
            match take {
                1 => strip::<S, R, L, V, 1, N>(simd, &mut call, group, from),
                2 => strip::<S, R, L, V, 2, N>(simd, &mut call, group, from),
                _ => strip::<S, R, L, V, G, N>(simd, &mut call, group, from),
            }
            group += take;
        }
        call.target.fresh = false;
        from += K_BLOCK;
    }
}

/// The products of G groups of columns with all rows, over the block of k that begins at `from`.
#[inline(always)]
fn strip<S: Simd, R: Real, const L: usize, const V: usize, const G: usize, const N: usize>(
    simd: S,
    call: &mut Call<'_, R>,
    first: usize,
    from: usize,
) {
    let [rows, cols] = call.operands;
    let zero = [[[R::splat(simd, R::default()); V]; G]; N];
    let last = first * L + G * L;
    let parts = cols.groups().div_ceil(G) * rows.groups();
    for group in 0..rows.groups() {
        let part_to_load = (first / G * rows.groups() + group).min(parts - 1);
        rows.prefetch(from + K_BLOCK, part_to_load, parts);
        cols.prefetch(from + K_BLOCK, part_to_load, parts);
        for part in 0..L / N {
            let row = group * L + part * N;
            if row >= rows.rows() || call.target.upper && row >= last {
                break;
            }
            let mut sums = zero;
            if let Some([rows, cols]) = call.with {
                add_part::<S, R, L, V, G, N>(simd, cols, first, rows, group, part, 0, &mut sums);
                // Spill these sums to the stack: the other product needs the registers.
                let mut other = sums;
                let other = std::hint::black_box(&mut other);
                let mut sums = zero;
                let [rows, cols] = call.operands;
                add_part::<S, R, L, V, G, N>(simd, cols, first, rows, group, part, from, &mut sums);
                let (weight, bias) = (R::splat(simd, call.weight), R::splat(simd, call.bias));
                for (sums, other) in sums.iter_mut().flatten().flatten().zip(other.iter().flatten().flatten()) {
                    *sums = R::mul_vectors(simd, R::mul_add_vectors(simd, *sums, weight, bias), *other);
                }
                write::<S, R, L, V, G, N>(simd, call, [row, first * L], &sums, R::from_f64(1.0));
            } else {
                add_part::<S, R, L, V, G, N>(simd, cols, first, rows, group, part, from, &mut sums);
                let weight = call.weight;
                write::<S, R, L, V, G, N>(simd, call, [row, first * L], &sums, weight);
            }
        }
    }
}

/// Adds the products of N rows, part `part` of a group, with G groups of columns.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "two panels and the positions in both")]
fn add_part<S: Simd, R: Real, const L: usize, const V: usize, const G: usize, const N: usize>(
    simd: S,
    cols: &Packed<R>,
    first: usize,
    rows: &Packed<R>,
    group: usize,
    part: usize,
    from: usize,
    sums: &mut Sums<S, R, V, G, N>,
) {
    let cols: [&[[R::Register<S>; V]]; G] =
        std::array::from_fn(|g| R::vectors(simd, cols.group(first + g, from)).as_chunks::<V>().0);
    let rows = rows.group(group, from).as_chunks::<L>().0;
    // Equal lengths, so that the compiler drops the bounds checks of the columns.
    let cols = cols.map(|cols| &cols[..rows.len()]);
    // The part is a constant, so that the compiler knows the positions of the numbers in a row.
    match part {
        0 => add_products::<S, R, L, V, G, N, 0>(simd, cols, rows, sums),
        1 => add_products::<S, R, L, V, G, N, 1>(simd, cols, rows, sums),
        2 => add_products::<S, R, L, V, G, N, 2>(simd, cols, rows, sums),
        3 => add_products::<S, R, L, V, G, N, 3>(simd, cols, rows, sums),
        _ => {
            for (k, row) in rows.iter().enumerate() {
                let x = R::splat(simd, row[part]);
                for (g, sums) in sums[0].iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = R::mul_add_vectors(simd, cols[g][k][v], x, *sum);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add_products<S: Simd, R: Real, const L: usize, const V: usize, const G: usize, const N: usize, const PART: usize>(
    simd: S,
    cols: [&[[R::Register<S>; V]]; G],
    rows: &[[R; L]],
    sums: &mut Sums<S, R, V, G, N>,
) {
    let mut local = *sums;
    for (k, row) in rows.iter().enumerate() {
        let columns: [[R::Register<S>; V]; G] = std::array::from_fn(|g| cols[g][k]);
        for n in 0..N {
            // The remainder only avoids a bounds check: parts beyond L are never used.
            let x = R::splat(simd, row[(PART * N + n) % L]);
            for g in 0..G {
                for v in 0..V {
                    local[n][g][v] = R::mul_add_vectors(simd, columns[g][v], x, local[n][g][v]);
                }
            }
        }
    }
    *sums = local;
}

/// Writes a micro tile.
#[inline(always)]
fn write<S: Simd, R: Real, const L: usize, const V: usize, const G: usize, const N: usize>(
    simd: S,
    call: &mut Call<'_, R>,
    [row, col]: [usize; 2],
    sums: &Sums<S, R, V, G, N>,
    weight: R,
) {
    let [rows, cols] = call.operands.map(Packed::rows);
    let high = N.min(rows - row);
    let wide = (G * L).min(cols - col);
    let stride = call.target.stride;
    if high == N && wide == G * L {
        let (w, zero) = (R::splat(simd, weight), R::splat(simd, R::default()));
        for (n, sums) in sums.iter().enumerate() {
            let start = (row + n) * stride + col;
            let out = R::vectors_mut(simd, &mut call.target.out[start..start + G * L]).as_chunks_mut::<V>().0;
            // Loops instead of closures: a closure that is not inlined is compiled without wide vectors.
            match call.finish {
                Finish::Add => {
                    for (out, sums) in out.iter_mut().zip(sums) {
                        for v in 0..V {
                            let old = if call.target.fresh { zero } else { out[v] };
                            out[v] = R::mul_add_vectors(simd, w, sums[v], old);
                        }
                    }
                }
                Finish::MultiplyAdd(other) => {
                    let other = R::vectors(simd, &other[start..start + G * L]).as_chunks::<V>().0;
                    for ((out, sums), other) in out.iter_mut().zip(sums).zip(other) {
                        for v in 0..V {
                            let old = if call.target.fresh { zero } else { out[v] };
                            out[v] = R::mul_add_vectors(simd, R::mul_vectors(simd, w, sums[v]), other[v], old);
                        }
                    }
                }
            }
        }
        return;
    }
    // At an edge, the entries beyond it are dropped.
    let mut line = [R::default(); 64];
    for (n, sums) in sums.iter().enumerate().take(high) {
        let line = &mut line[..G * L];
        let vectors = R::vectors_mut(simd, line).as_chunks_mut::<V>().0;
        vectors.iter_mut().zip(sums).for_each(|(to, &x)| *to = x);
        let start = (row + n) * stride + col;
        let out = &mut call.target.out[start..start + wide];
        if call.target.fresh {
            out.fill(R::default());
        }
        let pairs = out.iter_mut().zip(&*line);
        match call.finish {
            Finish::Add => pairs.for_each(|(out, &x)| *out = weight.mul_add(x, *out)),
            Finish::MultiplyAdd(other) => {
                pairs.zip(&other[start..start + wide]).for_each(|((out, &x), &y)| *out = (weight * x).mul_add(y, *out))
            }
        }
    }
}
